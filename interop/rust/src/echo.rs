use std::{io, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams};
use rand::Rng;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::events::{emit, failed};

/// The same in the peers of all languages
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/nat-lab/echo/1.0.0");

const TIMEOUT: Duration = Duration::from_secs(30);

const CHUNK: usize = 65_536;

pub async fn serve(mut incoming: IncomingStreams) {
    while let Some((_, mut stream)) = incoming.next().await {
        tokio::spawn(async move {
            let mut chunk = vec![0; CHUNK];

            while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                if stream.write_all(&chunk[..length]).await.is_err() {
                    return;
                }
                let _ = stream.flush().await;
            }

            let _ = stream.close().await;
        });
    }
}

/// Sends random bytes to the echo protocol of a peer, and compares
pub async fn run(mut streams: Control, peer: PeerId, length: usize) {
    let result = tokio::time::timeout(TIMEOUT, async {
        let stream = streams
            .open_stream(peer, PROTOCOL)
            .await
            .map_err(io::Error::other)?;
        exchange(stream, length).await
    })
    .await
    .unwrap_or(Err(io::ErrorKind::TimedOut.into()));

    match result {
        Ok((received, equal)) => emit(
            "echoed",
            json!({ "peer": peer.to_string(), "bytes": received, "equal": equal }),
        ),
        Err(error) => failed("echo", &error.to_string()),
    }
}

async fn exchange(stream: Stream, length: usize) -> io::Result<(usize, bool)> {
    let mut data = vec![0; length];
    rand::rng().fill_bytes(&mut data);
    let (mut reader, mut writer) = stream.split();

    let sending = async {
        writer.write_all(&data).await?;
        writer.close().await
    };
    let receiving = async {
        let mut hash = Sha256::new();
        let mut received = 0;
        let mut chunk = vec![0; CHUNK];

        loop {
            match reader.read(&mut chunk).await? {
                0 => return Ok::<_, io::Error>((received, hash.finalize())),
                length => {
                    received += length;
                    hash.update(&chunk[..length]);
                }
            }
        }
    };
    let (_, (received, hash)) = futures::try_join!(sending, receiving)?;

    Ok((received, hash == Sha256::digest(&data)))
}
