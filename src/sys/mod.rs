//! Doors to the machine. They know no domain type but secrets.

pub mod child;
pub mod connections;
pub mod daemon;
pub mod files;
pub mod guests;
pub mod http_client;
pub mod http_server;
pub mod instance;
pub mod interfaces;
pub mod keychain;
pub mod line_editor;
pub mod lock;
pub mod loopback;
pub mod mounts;
pub mod procfs;
pub mod random;
pub mod reader;
pub mod shell_env;
pub mod signals;
pub mod systemd;
pub mod terminal;
