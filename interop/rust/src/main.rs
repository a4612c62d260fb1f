//! A rust-libp2p peer for the interoperability tests. Its options and its first
//! commands are flags, more commands are lines of JSON on the standard input. It
//! prints a line of JSON for each event, and ends with its standard input.

mod commands;
mod echo;
mod events;
mod options;
mod peer;
mod rendezvous;

use std::error::Error;

use commands::Commands;
use futures::StreamExt;
use options::Options;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args()?;
    let mut swarm = peer::build(&options)?;
    let mut streams = swarm.behaviour().stream.new_control();
    tokio::spawn(echo::serve(streams.accept(echo::PROTOCOL)?));

    for address in &options.listen {
        swarm.listen_on(address.parse()?)?;
    }

    let mut events = events::Events::new(&options);
    let mut commands = Commands::new(streams);
    let mut input = BufReader::new(stdin()).lines();
    let mut first = options.commands.into_iter();

    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                events.report(&mut swarm, &event);
                commands.on_event(&mut swarm, &event);

                if events.just_started() {
                    first.by_ref().for_each(|command| commands.handle(&mut swarm, command));
                }
            }
            line = input.next_line() => match line? {
                Some(line) => match serde_json::from_str(&line) {
                    Ok(command) => commands.handle(&mut swarm, command),
                    Err(error) => events::failed(&line, &error.to_string()),
                },
                None => return Ok(()),
            }
        }
    }
}
