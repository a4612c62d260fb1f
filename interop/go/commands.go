package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
)

// echoProtocol is the same in the peers of all languages
const echoProtocol = "/nat-lab/echo/1.0.0"

const commandTimeout = 30 * time.Second

type command struct {
	Name    string `json:"command"`
	Address string `json:"address"`
	Peer    string `json:"peer"`
	Bytes   int    `json:"bytes"`
}

// handleInput runs the commands on the standard input until it ends
func handleInput(h host.Host, input io.Reader) {
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			emit("failed", fields{"command": lines.Text(), "message": err.Error()})
			continue
		}
		go handle(h, c)
	}
}

func handle(h host.Host, c command) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()

	if err := execute(network.WithAllowLimitedConn(ctx, "interop"), h, c); err != nil {
		emit("failed", fields{"command": c.Name, "message": err.Error()})
	}
}

func execute(ctx context.Context, h host.Host, c command) error {
	switch c.Name {
	case "dial":
		info, err := connect(ctx, h, c.Address)
		if err != nil {
			return err
		}
		emit("dialled", fields{"peer": info.ID})
	case "hangUp":
		id, err := peer.Decode(c.Peer)
		if err != nil {
			return err
		}
		if err := h.Network().ClosePeer(id); err != nil {
			return err
		}
		emit("hung-up", fields{"peer": id})
	case "ping":
		info, err := connect(ctx, h, c.Address)
		if err != nil {
			return err
		}
		result := <-ping.Ping(ctx, h, info.ID)
		if result.Error != nil {
			return result.Error
		}
		emit("pong", fields{"roundTrip": result.RTT.Seconds() * 1_000})
	case "echo":
		return echo(ctx, h, c.Address, c.Bytes)
	case "reserve":
		return reserve(ctx, h, c.Address)
	case "addresses":
		emit("addresses", fields{"addresses": addressesOf(h)})
	default:
		return fmt.Errorf("no command %q", c.Name)
	}

	return nil
}

// connect returns the peer of an address once it is connected. An address
// that is only /p2p/... names an existing connection.
func connect(ctx context.Context, h host.Host, address string) (*peer.AddrInfo, error) {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return nil, err
	}
	if len(info.Addrs) == 0 {
		return info, nil
	}
	if !isRelayed(info.Addrs[0]) {
		ctx = network.WithForceDirectDial(ctx, "interop")
	}
	// this address only, none that the peer announced before
	h.Peerstore().ClearAddrs(info.ID)

	return info, h.Connect(ctx, *info)
}

// echo sends random bytes to the echo protocol of a peer, and compares
func echo(ctx context.Context, h host.Host, address string, length int) error {
	info, err := connect(ctx, h, address)
	if err != nil {
		return err
	}
	stream, err := h.NewStream(ctx, info.ID, echoProtocol)
	if err != nil {
		return err
	}
	defer stream.Close()
	stream.SetDeadline(time.Now().Add(commandTimeout))

	data := make([]byte, length)
	rand.Read(data)
	sending := make(chan error, 1)
	go func() {
		_, err := stream.Write(data)
		if err == nil {
			err = stream.CloseWrite()
		}
		sending <- err
	}()

	hash := sha256.New()
	received, err := io.Copy(hash, stream)
	if err != nil {
		return err
	}
	if err := <-sending; err != nil {
		return err
	}
	sent := sha256.Sum256(data)
	emit("echoed", fields{"remote": stream.Conn().RemoteMultiaddr().String(), "bytes": received, "equal": bytes.Equal(sent[:], hash.Sum(nil))})

	return nil
}

func handleEcho(stream network.Stream) {
	defer stream.Close()
	if _, err := io.Copy(stream, stream); err != nil {
		stream.Reset()
	}
}

// reserve reserves a slot at a relay, and reports the relayed address
func reserve(ctx context.Context, h host.Host, address string) error {
	info, err := connect(ctx, h, address)
	if err != nil {
		return err
	}
	if _, err := client.Reserve(ctx, h, *info); err != nil {
		return err
	}
	relayed := ma.StringCast(fmt.Sprintf("%s/p2p-circuit/p2p/%s", address, h.ID()))
	emit("reserved", fields{"address": relayed.String()})

	return nil
}
