//! Tables of learning.
