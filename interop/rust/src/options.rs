use std::error::Error;

use serde_json::{Value, json};

#[derive(Default)]
pub struct Options {
    pub listen: Vec<String>,
    /// How connections are encrypted: `tls` or `noise`
    pub security: String,
    pub relay: bool,
    pub autonat_server: bool,
    pub punch: bool,
    pub rendezvous_server: bool,
    /// Commands to run after the start
    pub commands: Vec<Value>,
}

impl Options {
    pub fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut options = Options {
            security: "noise".into(),
            ..Default::default()
        };
        let mut bytes = 1 << 20;
        let mut args = std::env::args().skip(1);

        while let Some(flag) = args.next() {
            let name = flag.trim_start_matches('-').to_owned();
            let mut value = || args.next().ok_or(format!("{flag} needs a value"));

            match name.as_str() {
                "listen" => options.listen.push(value()?),
                "security" => options.security = value()?,
                "relay" => options.relay = true,
                "autonat-server" => options.autonat_server = true,
                "punch" => options.punch = true,
                "rendezvous-server" => options.rendezvous_server = true,
                "bytes" => bytes = value()?.parse()?,
                "reserve" | "dial" | "ping" | "echo" => options
                    .commands
                    .push(json!({ "command": name, "address": value()? })),
                _ => return Err(format!("no flag {flag}").into()),
            }
        }

        for command in &mut options.commands {
            command["bytes"] = json!(bytes);
        }

        Ok(options)
    }
}
