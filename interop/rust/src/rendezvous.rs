use std::{collections::HashMap, error::Error};

use libp2p::{
    PeerId, Swarm,
    rendezvous::{Cookie, Namespace, client::Event},
};
use serde_json::json;

use crate::{
    events::{emit, failed},
    peer::Behaviour,
};

/// Registers with rendezvous servers, and asks them who else did
#[derive(Default)]
pub struct Rendezvous {
    /// Up to where each server was read
    cookies: HashMap<PeerId, Cookie>,
}

impl Rendezvous {
    pub fn run(
        &mut self,
        swarm: &mut Swarm<Behaviour>,
        command: &str,
        server: PeerId,
        namespace: &str,
    ) -> Result<(), Box<dyn Error>> {
        let namespace = Namespace::new(namespace.into())?;

        match command {
            "register" => {
                // a peer registers its external addresses
                let addresses: Vec<_> = swarm.listeners().cloned().collect();
                for address in addresses {
                    swarm.add_external_address(address);
                }
                let client = &mut swarm.behaviour_mut().rendezvous_client;
                client.register(namespace, server, None)?;
            }
            "unregister" => {
                let client = &mut swarm.behaviour_mut().rendezvous_client;
                client.unregister(namespace, server);
            }
            _ => {
                let cookie = self.cookies.get(&server).cloned();
                let client = &mut swarm.behaviour_mut().rendezvous_client;
                client.discover(Some(namespace), cookie, None, server);
            }
        }

        Ok(())
    }

    pub fn on_event(&mut self, event: &Event) {
        match event {
            Event::Registered { ttl, namespace, .. } => {
                emit(
                    "registered",
                    json!({ "namespace": namespace.to_string(), "ttl": ttl }),
                );
            }
            Event::RegisterFailed { error, .. } => failed("register", &format!("{error:?}")),
            Event::Discovered {
                rendezvous_node,
                registrations,
                cookie,
            } => {
                self.cookies.insert(*rendezvous_node, cookie.clone());
                let peers: Vec<_> = registrations
                    .iter()
                    .map(|registration| {
                        json!({
                            "id": registration.record.peer_id().to_string(),
                            "addresses": registration.record.addresses(),
                            "ttl": registration.ttl,
                        })
                    })
                    .collect();
                emit("discovered", json!({ "peers": peers }));
            }
            Event::DiscoverFailed { error, .. } => failed("discover", &format!("{error:?}")),
            Event::Expired { .. } => {}
        }
    }
}
