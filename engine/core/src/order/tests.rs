//! Tables, expected cents, lives and properties of orders; builders stand in [`build`].

mod announcements;
mod build;
mod cents;
mod commands;
mod creation;
mod effects;
mod lives;
mod overtaken;
mod properties;
mod states;
mod twin;
mod unwinding;
mod world;
