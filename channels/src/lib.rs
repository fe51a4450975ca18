//! Payment channels: the adapter trait, capability descriptors, and simulators that keep their own books.
