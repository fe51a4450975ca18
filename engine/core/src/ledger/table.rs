//! Accounts by number, densely: rows in pages, and a table of places.
//!
//! A map that holds its rows keeps up to half of its room empty, and copies every row when it grows. Here the rows of a
//! million accounts take no more than they are large, stay where they are, and only places of four bytes are moved.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use suanpan_model::AccountId;

use super::Account;

/// Rows of a page: some 100 KiB.
const PAGE_ROWS: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 10;

/// Accounts, which come and never go.
#[derive(Clone, Default)]
pub(super) struct Table {
    places: HashTable<u32>,
    pages: Vec<Vec<Account>>,
}

fn hash(id: AccountId) -> u64 {
    FxBuildHasher.hash_one(id)
}

const fn split(place: u32) -> (usize, usize) {
    ((place >> PAGE_BITS) as usize, place as usize & (PAGE_ROWS - 1))
}

impl Table {
    fn place(&self, id: AccountId) -> Option<(usize, usize)> {
        let is_it = |place: &u32| {
            let (page, row) = split(*place);
            self.pages[page][row].id == id
        };
        self.places.find(hash(id), is_it).map(|place| split(*place))
    }

    pub(super) fn get(&self, id: AccountId) -> Option<&Account> {
        self.place(id).map(|(page, row)| &self.pages[page][row])
    }

    pub(super) fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.place(id).map(|(page, row)| &mut self.pages[page][row])
    }

    pub(super) fn contains(&self, id: AccountId) -> bool {
        self.place(id).is_some()
    }

    /// The account with this number, made by `make` if there is none.
    pub(super) fn get_or_insert_with(
        &mut self,
        id: AccountId,
        make: impl FnOnce() -> Account,
    ) -> &mut Account {
        let (page, row) = match self.place(id) {
            Some(place) => place,
            None => self.push(make()),
        };
        &mut self.pages[page][row]
    }

    /// Puts a row in the place of one with the same number, if there is one.
    pub(super) fn insert(&mut self, account: Account) {
        match self.get_mut(account.id) {
            Some(known) => *known = account,
            None => {
                self.push(account);
            }
        }
    }

    fn push(&mut self, account: Account) -> (usize, usize) {
        if self.pages.last().is_none_or(|page| page.len() == PAGE_ROWS) {
            // The first page grows as it fills: most ledgers of tests are small.
            let room = if self.pages.is_empty() { 0 } else { PAGE_ROWS };
            self.pages.push(Vec::with_capacity(room));
        }
        let page = self.pages.len() - 1;
        let row = self.pages[page].len();
        let place = u32::try_from(page << PAGE_BITS | row).expect("a shard has less than 2³² accounts");
        let id = account.id;
        self.pages[page].push(account);
        let pages = &self.pages;
        self.places.insert_unique(hash(id), place, |place| {
            let (page, row) = split(*place);
            hash(pages[page][row].id)
        });
        (page, row)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Account> {
        self.pages.iter().flatten()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.pages.iter_mut().flatten()
    }
}

/// The same accounts, wherever they stand.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.places.len() == other.places.len()
            && self.values().all(|account| other.get(account.id) == Some(account))
    }
}

impl Eq for Table {}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.values()).finish()
    }
}
