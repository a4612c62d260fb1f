use std::{error::Error, time::Duration};

use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, Transport, autonat,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    dcutr, identify,
    identity::Keypair,
    noise, ping, relay, rendezvous,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
    tcp, tls, yamux,
};

use crate::options::Options;

/// Longer than any test
const IDLE_TIMEOUT: Duration = Duration::from_secs(3_600);

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    pub stream: libp2p_stream::Behaviour,
    pub relay_client: relay::client::Behaviour,
    pub relay: Toggle<relay::Behaviour>,
    pub autonat: Toggle<autonat::v2::server::Behaviour>,
    pub dcutr: Toggle<dcutr::Behaviour>,
    pub rendezvous_client: rendezvous::client::Behaviour,
    pub rendezvous_server: Toggle<rendezvous::server::Behaviour>,
}

pub fn build(options: &Options) -> Result<Swarm<Behaviour>, Box<dyn Error>> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_other_transport(|key| transport(key, &options.security))?
        .with_relay_client(noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key, relay_client| {
            let id = key.public().to_peer_id();

            Behaviour {
                identify: identify::Behaviour::new(
                    identify::Config::new("/ipfs/0.1.0".into(), key.public())
                        .with_push_listen_addr_updates(true),
                ),
                // several pings in a short test
                ping: ping::Behaviour::new(
                    ping::Config::new().with_interval(Duration::from_secs(1)),
                ),
                stream: libp2p_stream::Behaviour::new(),
                relay_client,
                relay: options
                    .relay
                    .then(|| relay::Behaviour::new(id, relay::Config::default()))
                    .into(),
                autonat: options
                    .autonat_server
                    .then(autonat::v2::server::Behaviour::default)
                    .into(),
                dcutr: options.punch.then(|| dcutr::Behaviour::new(id)).into(),
                rendezvous_client: rendezvous::client::Behaviour::new(key.clone()),
                rendezvous_server: options
                    .rendezvous_server
                    .then(|| rendezvous::server::Behaviour::new(Default::default()))
                    .into(),
            }
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_TIMEOUT))
        .build();

    Ok(swarm)
}

type Encrypted = Boxed<(PeerId, StreamMuxerBox)>;

fn transport(key: &Keypair, security: &str) -> Result<Encrypted, Box<dyn Error + Send + Sync>> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default()).upgrade(Version::V1Lazy);
    let muxer = yamux::Config::default();

    Ok(match security {
        "tls" => tcp
            .authenticate(tls::Config::new(key)?)
            .multiplex(muxer)
            .boxed(),
        "noise" => tcp
            .authenticate(noise::Config::new(key)?)
            .multiplex(muxer)
            .boxed(),
        other => return Err(format!("--security must be noise or tls, not {other}").into()),
    })
}

/// The peer id at the end of an address
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(libp2p::multiaddr::Protocol::P2p(id)) => Some(id),
        _ => None,
    }
}

pub fn is_relayed(address: &Multiaddr) -> bool {
    address
        .iter()
        .any(|part| part == libp2p::multiaddr::Protocol::P2pCircuit)
}
