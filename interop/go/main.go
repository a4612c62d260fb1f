// A go-libp2p peer for the interoperability tests. Its options and its first
// commands are flags, more commands are lines of JSON on the standard input. It
// prints a line of JSON for each event, and ends with its standard input.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

type options struct {
	listen   values
	security string

	relay         bool
	autonatServer bool
	autonatClient bool
	punch         bool

	commands []command
}

// values is a flag that may be repeated
type values []string

func (v *values) String() string { return strings.Join(*v, " ") }

func (v *values) Set(value string) error {
	*v = append(*v, value)
	return nil
}

func readOptions() options {
	var o options
	flag.Var(&o.listen, "listen", "listen on this address, may be given more than once")
	flag.StringVar(&o.security, "security", "tls,noise", "what to encrypt by, the preferred first")
	flag.BoolVar(&o.relay, "relay", false, "be a circuit relay v2")
	flag.BoolVar(&o.autonatServer, "autonat-server", false, "serve AutoNAT v2")
	flag.BoolVar(&o.autonatClient, "autonat-client", false, "verify the own addresses by AutoNAT v2")
	flag.BoolVar(&o.punch, "punch", false, "punch holes by DCUtR")
	bytes := flag.Int("bytes", 1<<20, "how much --echo sends")
	for _, name := range []string{"reserve", "dial", "ping", "echo"} {
		flag.Func(name, fmt.Sprintf("%s this address once started", name), func(address string) error {
			o.commands = append(o.commands, command{Name: name, Address: address, Bytes: *bytes})
			return nil
		})
	}
	flag.Parse()

	return o
}

func newHost(o options) (host.Host, error) {
	config := []libp2p.Option{
		libp2p.ListenAddrStrings(o.listen...),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
		libp2p.EnableRelay(),
	}

	for _, name := range strings.Split(o.security, ",") {
		switch name {
		case "noise":
			config = append(config, libp2p.Security(noise.ID, noise.New))
		case "tls":
			config = append(config, libp2p.Security(libp2ptls.ID, libp2ptls.New))
		default:
			return nil, fmt.Errorf("--security must be of noise and tls, not %q", name)
		}
	}

	if o.punch {
		config = append(config, libp2p.EnableHolePunching(holepunch.WithTracer(punchTracer{})))
	}

	if o.autonatClient {
		config = append(config, libp2p.EnableAutoNATv2())
	}

	return libp2p.New(config...)
}

func serve(h host.Host, o options) error {
	h.SetStreamHandler(echoProtocol, handleEcho)

	if o.relay {
		if _, err := relay.New(h); err != nil {
			return err
		}
	}

	if o.autonatServer {
		// as libp2p.EnableAutoNATv2 does: dial back from a separate host, which the
		// peer does not know
		dialer, err := libp2p.New(
			libp2p.NoListenAddrs,
			libp2p.Transport(tcp.NewTCPTransport),
			libp2p.ResourceManager(&network.NullResourceManager{}),
			libp2p.DisableMetrics(),
			libp2p.DisableRelay(),
		)
		if err != nil {
			return err
		}
		server, err := autonatv2.New(dialer, autonatv2.WithMetricsTracer(autonatTracer{}))
		if err != nil {
			return err
		}
		if err := server.Start(h); err != nil {
			return err
		}
	}

	return nil
}

func run() error {
	o := readOptions()
	h, err := newHost(o)
	if err != nil {
		return err
	}
	defer h.Close()

	if err := report(h); err != nil {
		return err
	}
	if err := serve(h, o); err != nil {
		return err
	}

	emit("started", fields{"id": h.ID(), "addresses": addressesOf(h)})
	for _, c := range o.commands {
		go handle(h, c)
	}
	handleInput(h, os.Stdin)

	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
