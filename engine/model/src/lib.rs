//! The nouns of the engine: money, ids, time, orders, accounts, events, reject codes.
