use std::collections::{HashMap, HashSet};

use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::ConnectedPoint,
    identify,
    swarm::{ConnectionId, SwarmEvent},
};
use serde_json::{Value, json};

use crate::{
    options::Options,
    peer::{Behaviour, BehaviourEvent, is_relayed},
};

pub fn emit(event: &str, mut detail: Value) {
    detail["event"] = json!(event);
    println!("{detail}");
}

pub fn failed(command: &str, message: &str) {
    emit("failed", json!({ "command": command, "message": message }));
}

/// Reports the events of a swarm
pub struct Events {
    awaited_listeners: usize,
    just_started: bool,
    relay: bool,
    /// Whether the peer should listen on loopback, and not just on every address
    loopback: bool,
    identified: HashSet<ConnectionId>,
    relayed: HashMap<ConnectionId, PeerId>,
}

impl Events {
    pub fn new(options: &Options) -> Self {
        Self {
            awaited_listeners: options.listen.len(),
            just_started: false,
            relay: options.relay,
            loopback: options.listen.iter().any(|address| is_loopback(address)),
            identified: HashSet::new(),
            relayed: HashMap::new(),
        }
    }

    /// Whether the event reported last was the first address of the last listener
    pub fn just_started(&mut self) -> bool {
        std::mem::take(&mut self.just_started)
    }

    pub fn report(&mut self, swarm: &mut Swarm<Behaviour>, event: &SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(swarm, address),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                if endpoint.is_relayed() {
                    self.relayed.insert(*connection_id, *peer_id);
                }
                emit(
                    "connected",
                    json!({ "peer": peer_id.to_string(), "direction": direction(endpoint), "remote": endpoint.get_remote_address(), "relayed": endpoint.is_relayed() }),
                );
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.relayed.remove(connection_id);
                emit(
                    "disconnected",
                    json!({ "peer": peer_id.to_string(), "remote": endpoint.get_remote_address() }),
                );
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => {
                emit(
                    "dial-error",
                    json!({ "peer": peer_id.map(|id| id.to_string()), "message": error.to_string() }),
                );
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                emit("accept-error", json!({ "message": error.to_string() }));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                connection_id,
                peer_id,
                info,
            })) => {
                // the first answer on a connection is from identify, later ones from identify-push
                let pushed = !self.identified.insert(*connection_id);
                emit(
                    "identified",
                    json!({ "peer": peer_id.to_string(), "addresses": info.listen_addrs, "observed": info.observed_addr, "agent": info.agent_version, "pushed": pushed }),
                );
            }
            SwarmEvent::Behaviour(BehaviourEvent::Dcutr(event)) => {
                if event.result.is_ok() {
                    self.close_relayed(swarm, &event.remote_peer_id);
                }

                emit(
                    "punch",
                    json!({ "peer": event.remote_peer_id.to_string(), "success": event.result.is_ok(), "message": event.result.as_ref().err().map(|error| error.to_string()) }),
                );
            }
            SwarmEvent::Behaviour(BehaviourEvent::Autonat(event)) => {
                emit(
                    "autonat",
                    json!({ "address": event.tested_addr, "reachable": event.result.is_ok() }),
                );
            }
            _ => {}
        }
    }

    /// A relayed connection is closed once a punch has succeeded
    fn close_relayed(&self, swarm: &mut Swarm<Behaviour>, peer: &PeerId) {
        for (connection, _) in self.relayed.iter().filter(|(_, other)| *other == peer) {
            swarm.close_connection(*connection);
        }
    }

    fn on_listening(&mut self, swarm: &mut Swarm<Behaviour>, address: &Multiaddr) {
        if is_relayed(address) || (is_loopback(&address.to_string()) && !self.loopback) {
            return;
        }

        if self.relay {
            // a relay has a public address, which its reservations contain
            swarm.add_external_address(address.clone());
        }

        if self.awaited_listeners > 0 {
            self.awaited_listeners -= 1;

            if self.awaited_listeners == 0 {
                let id = swarm.local_peer_id();
                let addresses: Vec<String> = swarm
                    .listeners()
                    .map(|address| format!("{address}/p2p/{id}"))
                    .collect();
                emit(
                    "started",
                    json!({ "id": id.to_string(), "addresses": addresses }),
                );
                self.just_started = true;
            }
        }
    }
}

fn is_loopback(address: &str) -> bool {
    address.starts_with("/ip4/127.")
}

fn direction(endpoint: &ConnectedPoint) -> &str {
    if endpoint.is_dialer() {
        "outbound"
    } else {
        "inbound"
    }
}
