// A STUN server over TCP and TLS by pion/turn, as its examples set one up:
// pion HOST CERTIFICATE KEY prints its two ports as one JSON object, and ends with
// standard input.
package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"os"

	"github.com/pion/turn/v4"
)

func main() {
	host := os.Args[1]
	certificate, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}

	plain := listen(host)
	raw := listen(host)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "example.org",
		AuthHandler: func(string, string, net.Addr) ([]byte, bool) {
			return nil, false
		},
		ListenerConfigs: []turn.ListenerConfig{
			{Listener: plain, RelayAddressGenerator: relays(host)},
			{
				Listener:              tls.NewListener(raw, &tls.Config{Certificates: []tls.Certificate{certificate}}),
				RelayAddressGenerator: relays(host),
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	ports := map[string]int{"port": plain.Addr().(*net.TCPAddr).Port, "tlsPort": raw.Addr().(*net.TCPAddr).Port}
	if err := json.NewEncoder(os.Stdout).Encode(ports); err != nil {
		log.Fatal(err)
	}

	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = server.Close()
}

func listen(host string) net.Listener {
	listener, err := net.Listen("tcp4", net.JoinHostPort(host, "0"))
	if err != nil {
		log.Fatal(err)
	}

	return listener
}

func relays(host string) turn.RelayAddressGenerator {
	return &turn.RelayAddressGeneratorStatic{RelayAddress: net.ParseIP(host), Address: host}
}
