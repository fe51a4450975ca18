-- Orders and their double entries, as a good team would keep them in PostgreSQL: one round trip a step, balances kept with
-- the entries, every step one durable transaction.

CREATE TABLE account (
    id      bigint PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE mall_order (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform   integer     NOT NULL,
    order_no   text        NOT NULL,
    payer      text        NOT NULL,
    merchant   bigint      NOT NULL,
    agent      bigint      NOT NULL,
    channel    bigint      NOT NULL,
    stripe     bigint      NOT NULL,
    amount     bigint      NOT NULL,
    subsidy    bigint      NOT NULL,
    fee        bigint      NOT NULL,
    commission bigint      NOT NULL,
    agent_part bigint      NOT NULL,
    status     smallint    NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at timestamptz,
    UNIQUE (platform, order_no)
) WITH (fillfactor = 80);

CREATE TABLE posting (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint   NOT NULL,
    account  bigint   NOT NULL,
    amount   bigint   NOT NULL,
    code     smallint NOT NULL
);
CREATE INDEX posting_of_account ON posting (account, id);
CREATE INDEX posting_of_order ON posting (order_id);

-- Amounts are credits in minor units, debits negative. Accounts are touched in the order of their numbers, so that no two
-- orders wait for each other in a ring.
CREATE FUNCTION post(p_order bigint, p_code smallint, p_accounts bigint[], p_amounts bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    line record;
BEGIN
    FOR line IN
        SELECT account, sum(amount)::bigint AS amount
        FROM unnest(p_accounts, p_amounts) AS lines (account, amount)
        WHERE amount <> 0 GROUP BY account ORDER BY account
    LOOP
        UPDATE account SET balance = balance + line.amount WHERE id = line.account;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no account %', line.account;
        END IF;
    END LOOP;
    INSERT INTO posting (order_id, account, amount, code)
    SELECT p_order, account, amount, p_code
    FROM unnest(p_accounts, p_amounts) AS lines (account, amount) WHERE amount <> 0;
END $$;

-- Internal accounts: number of the kind × 1000 + stripe. Clearing accounts: 100000 + channel × 1000 + stripe.
CREATE FUNCTION create_order(
    p_platform integer, p_order_no text, p_payer text, p_merchant bigint, p_agent bigint, p_channel bigint,
    p_stripe bigint, p_amount bigint, p_subsidy bigint, p_fee bigint, p_commission bigint, p_agent_part bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO mall_order (platform, order_no, payer, merchant, agent, channel, stripe, amount, subsidy, fee,
                            commission, agent_part, status)
    VALUES (p_platform, p_order_no, p_payer, p_merchant, p_agent, p_channel, p_stripe, p_amount, p_subsidy, p_fee,
            p_commission, p_agent_part, 1)
    ON CONFLICT (platform, order_no) DO NOTHING
    RETURNING id INTO made;
    IF made IS NULL THEN
        SELECT id INTO made FROM mall_order WHERE platform = p_platform AND order_no = p_order_no;
        RETURN made;
    END IF;
    -- Paid: the channel owes it, the coupon fund adds its part, and it is frozen in escrow. The channel keeps its fee.
    PERFORM post(made, 1::smallint,
        ARRAY[100000 + p_channel * 1000 + p_stripe, 3000 + p_stripe, 1000 + p_stripe,
              5000 + p_stripe, 100000 + p_channel * 1000 + p_stripe],
        ARRAY[-(p_amount - p_subsidy), -p_subsidy, p_amount, -p_fee, p_fee]);
    RETURN made;
END $$;

CREATE FUNCTION release_order(p_order bigint) RETURNS smallint
LANGUAGE plpgsql AS $$
DECLARE
    o mall_order;
BEGIN
    UPDATE mall_order SET status = 2, settled_at = clock_timestamp()
    WHERE id = p_order AND status = 1 RETURNING * INTO o;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM post(o.id, 2::smallint,
        ARRAY[1000 + o.stripe, o.merchant, o.agent, 2000 + o.stripe, 4000 + o.stripe],
        ARRAY[-o.amount, o.amount - o.commission - o.agent_part - o.fee, o.agent_part, o.commission, o.fee]);
    RETURN 2;
END $$;
