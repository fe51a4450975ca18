//! Tables, expected cents, lives and properties of orders; builders stand in [`build`].

mod build;
mod commands;
mod effects;
mod lives;
mod states;
