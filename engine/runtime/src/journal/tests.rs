mod backends;
mod crash;
mod damage;
mod faults;
mod fixture;
mod property;
mod support;
