package main

import (
	"encoding/json"
	"os"
	"sync"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	ma "github.com/multiformats/go-multiaddr"
)

type fields map[string]any

var output sync.Mutex

func emit(event string, f fields) {
	if f == nil {
		f = fields{}
	}
	f["event"] = event
	line, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

// report emits the events of a host
func report(h host.Host) error {
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { emit("connected", describe(c)) },
		DisconnectedF: func(_ network.Network, c network.Conn) { emit("disconnected", describe(c)) },
	})

	events, err := h.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted),
		new(event.EvtLocalAddressesUpdated),
		new(event.EvtHostReachableAddrsChanged),
		new(event.EvtLocalProtocolsUpdated),
	})
	if err != nil {
		return err
	}

	go func() {
		identified := map[network.Conn]bool{}

		for e := range events.Out() {
			switch e := e.(type) {
			case event.EvtPeerIdentificationCompleted:
				// the first answer is from identify, later ones from identify-push
				f := fields{"peer": e.Peer, "addresses": texts(e.ListenAddrs), "agent": e.AgentVersion, "protocols": e.Protocols, "pushed": identified[e.Conn]}
				if e.ObservedAddr != nil {
					f["observed"] = e.ObservedAddr.String()
				}
				identified[e.Conn] = true
				emit("identified", f)
			case event.EvtLocalAddressesUpdated:
				emit("addresses", fields{"addresses": addressesOf(h)})
			case event.EvtLocalProtocolsUpdated:
				emit("protocols", fields{"added": e.Added})
			case event.EvtHostReachableAddrsChanged:
				emit("reachable", fields{"reachable": texts(e.Reachable), "unreachable": texts(e.Unreachable)})
			}
		}
	}()

	return nil
}

func describe(c network.Conn) fields {
	return fields{
		"peer":      c.RemotePeer(),
		"remote":    c.RemoteMultiaddr().String(),
		"local":     c.LocalMultiaddr().String(),
		"direction": directions[c.Stat().Direction],
		"relayed":   isRelayed(c.RemoteMultiaddr()),
		"security":  c.ConnState().Security,
		"muxer":     c.ConnState().StreamMultiplexer,
	}
}

var directions = map[network.Direction]string{
	network.DirInbound:  "inbound",
	network.DirOutbound: "outbound",
}

func isRelayed(address ma.Multiaddr) bool {
	_, err := address.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

func addressesOf(h host.Host) []string {
	addresses, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(h))
	if err != nil {
		return nil
	}
	return texts(addresses)
}

func texts(addresses []ma.Multiaddr) []string {
	all := make([]string, 0, len(addresses))
	for _, address := range addresses {
		all = append(all, address.String())
	}
	return all
}

// punchTracer reports the steps of a hole punch
type punchTracer struct{}

func (punchTracer) Trace(e *holepunch.Event) {
	emit("punch", fields{"type": e.Type, "peer": e.Remote, "detail": e.Evt})
}

// autonatTracer reports the results of an AutoNAT v2 server
type autonatTracer struct{}

func (autonatTracer) CompletedRequest(e autonatv2.EventDialRequestCompleted) {
	f := fields{"response": e.ResponseStatus.String(), "dial": e.DialStatus.String()}
	if e.DialedAddr != nil {
		f["address"] = e.DialedAddr.String()
	}
	if e.Error != nil {
		f["error"] = e.Error.Error()
	}
	emit("autonat", f)
}

func (autonatTracer) ClientCompletedRequest([]autonatv2.Request, autonatv2.Result, error) {}
