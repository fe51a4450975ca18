//! Tables of plain text.

/// A table whose first columns are text, aligned left, and whose others are numbers, aligned right.
#[derive(Clone, Debug)]
pub struct Table {
    texts: usize,
    rows: Vec<Vec<String>>,
    rules: Vec<usize>,
}

impl Table {
    /// A table with these headings, of which `texts` are of text.
    #[must_use]
    pub fn new(texts: usize, headings: &[&str]) -> Self {
        Self { texts, rows: vec![headings.iter().map(|text| (*text).to_owned()).collect()], rules: vec![1] }
    }

    /// Adds a row.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Adds a line across, for sums below it.
    pub fn rule(&mut self) {
        self.rules.push(self.rows.len());
    }

    /// The table, indented by two.
    #[must_use]
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let across = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
        let mut text = String::new();
        for (place, row) in self.rows.iter().enumerate() {
            if self.rules.contains(&place) {
                text.push_str(&format!("  {}\n", "-".repeat(across)));
            }
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column] - cell.chars().count());
                match column < self.texts {
                    true => line.push_str(&format!("{cell}{pad}  ")),
                    false => line.push_str(&format!("{pad}{cell}  ")),
                }
            }
            text.push_str(&format!("  {}\n", line.trim_end()));
        }
        text
    }
}

/// A count with thin groups of three digits: `12 345`.
#[must_use]
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// Minor units of a currency with two decimals, grouped: `12 345.67`.
#[must_use]
pub fn money(minor: i128, currency: suanpan_model::Currency) -> String {
    let text = suanpan_model::money::signed_text(minor, currency);
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
        None => grouped(&text),
    }
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use suanpan_model::Currency;

    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(12_345), "12 345");
        assert_eq!(money(-123_456_789, Currency::Cny), "-1 234 567.89");
        assert_eq!(money(5, Currency::Cny), "0.05");
        assert_eq!(money(-1_234, Currency::Jpy), "-1 234");
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(1, &["who", "much"]);
        table.row(["a", "1.00"]);
        table.rule();
        table.row(["all of them", "100.00"]);
        let expected = "  who            much\n  \
                        -------------------\n  \
                        a              1.00\n  \
                        -------------------\n  \
                        all of them  100.00\n";
        assert_eq!(table.text(), expected);
    }
}
