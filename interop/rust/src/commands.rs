use std::{collections::HashMap, error::Error};

use libp2p::{
    Multiaddr, PeerId, Swarm,
    multiaddr::Protocol,
    ping, relay,
    swarm::{
        ConnectionId, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use libp2p_stream::Control;
use serde_json::{Value, json};

use crate::{
    echo,
    events::{emit, failed},
    peer::{Behaviour, BehaviourEvent, peer_of},
    rendezvous::Rendezvous,
};

/// Runs commands, most of which wait for a connection
pub struct Commands {
    streams: Control,
    dials: HashMap<ConnectionId, (PeerId, Value)>,
    pings: Vec<PeerId>,
    hang_ups: Vec<PeerId>,
    reservations: HashMap<PeerId, Multiaddr>,
    rendezvous: Rendezvous,
}

impl Commands {
    pub fn new(streams: Control) -> Self {
        Self {
            streams,
            dials: HashMap::new(),
            pings: Vec::new(),
            hang_ups: Vec::new(),
            reservations: HashMap::new(),
            rendezvous: Rendezvous::default(),
        }
    }

    pub fn handle(&mut self, swarm: &mut Swarm<Behaviour>, command: Value) {
        let name = text(&command, "command").to_owned();

        if let Err(error) = self.run(swarm, &name, command) {
            failed(&name, &error.to_string());
        }
    }

    fn run(
        &mut self,
        swarm: &mut Swarm<Behaviour>,
        name: &str,
        command: Value,
    ) -> Result<(), Box<dyn Error>> {
        match name {
            "dial" | "ping" | "echo" | "register" | "unregister" | "discover" => {
                let address: Multiaddr = text(&command, "address").parse()?;
                let peer = peer_of(&address).ok_or("the address must end in /p2p/...")?;

                if swarm.is_connected(&peer) {
                    self.on_connected(swarm, peer, &command);
                } else {
                    let dial = DialOpts::peer_id(peer)
                        .addresses(vec![address])
                        .condition(PeerCondition::Always)
                        .build();
                    self.dials.insert(dial.connection_id(), (peer, command));
                    swarm.dial(dial)?;
                }
            }
            "hangUp" => {
                let peer: PeerId = text(&command, "peer").parse()?;
                match swarm.disconnect_peer_id(peer) {
                    Ok(()) => self.hang_ups.push(peer),
                    Err(()) => emit("hung-up", json!({ "peer": peer.to_string() })),
                }
            }
            "reserve" => {
                let address: Multiaddr = text(&command, "address").parse()?;
                let relay = peer_of(&address).ok_or("the address must end in /p2p/...")?;
                let circuit = address.with(Protocol::P2pCircuit);
                swarm.listen_on(circuit.clone())?;
                self.reservations
                    .insert(relay, circuit.with(Protocol::P2p(*swarm.local_peer_id())));
            }
            "addresses" => {
                let addresses: Vec<_> = swarm
                    .listeners()
                    .chain(swarm.external_addresses())
                    .collect();
                emit("addresses", json!({ "addresses": addresses }));
            }
            _ => return Err(format!("no command {name}").into()),
        }

        Ok(())
    }

    pub fn on_event(&mut self, swarm: &mut Swarm<Behaviour>, event: &SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                if let Some((peer, command)) = self.dials.remove(connection_id) {
                    self.on_connected(swarm, peer, &command);
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                ..
            } => {
                if let Some(i) = self.hang_ups.iter().position(|waiting| waiting == peer_id) {
                    self.hang_ups.swap_remove(i);
                    emit("hung-up", json!({ "peer": peer_id.to_string() }));
                }
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                if let Some((_, command)) = self.dials.remove(connection_id) {
                    failed(text(&command, "command"), &error.to_string());
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                peer,
                result: Ok(time),
                ..
            })) => {
                if let Some(i) = self.pings.iter().position(|waiting| waiting == peer) {
                    self.pings.swap_remove(i);
                    emit("pong", json!({ "roundTrip": time.as_secs_f64() * 1_000.0 }));
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::RelayClient(
                relay::client::Event::ReservationReqAccepted {
                    relay_peer_id,
                    renewal: false,
                    ..
                },
            )) => {
                if let Some(address) = self.reservations.remove(relay_peer_id) {
                    emit("reserved", json!({ "address": address }));
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::RendezvousClient(event)) => {
                self.rendezvous.on_event(event);
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, swarm: &mut Swarm<Behaviour>, peer: PeerId, command: &Value) {
        match text(command, "command") {
            "ping" => self.pings.push(peer),
            "echo" => {
                let bytes = command["bytes"].as_u64().unwrap_or_default();
                tokio::spawn(echo::run(self.streams.clone(), peer, bytes as usize));
            }
            name @ ("register" | "unregister" | "discover") => {
                let namespace = text(command, "namespace");
                if let Err(error) = self.rendezvous.run(swarm, name, peer, namespace) {
                    failed(name, &error.to_string());
                }
            }
            _ => emit("dialled", json!({ "peer": peer.to_string() })),
        }
    }
}

fn text<'a>(command: &'a Value, name: &str) -> &'a str {
    command[name].as_str().unwrap_or_default()
}
