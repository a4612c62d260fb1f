// A Binding by pion/stun over TCP or TLS, twice on one connection: prints the
// local address and the two that the server saw, as JSON.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"net"
	"os"

	"github.com/pion/stun/v2"
)

func main() {
	log.SetFlags(0)

	address := os.Args[1]
	var connection net.Conn
	var err error

	if len(os.Args) > 2 {
		pem, readErr := os.ReadFile(os.Args[2])
		if readErr != nil {
			log.Fatal(readErr)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		connection, err = tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	} else {
		connection, err = net.Dial("tcp", address)
	}
	if err != nil {
		log.Fatal(err)
	}

	client, err := stun.NewClient(connection)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	seen := []string{}
	for _, setters := range [][]stun.Setter{
		{stun.TransactionID, stun.BindingRequest},
		{stun.TransactionID, stun.BindingRequest, stun.NewSoftware("pion"), stun.Fingerprint},
	} {
		var mapped stun.XORMappedAddress
		message, buildErr := stun.Build(setters...)
		if buildErr != nil {
			log.Fatal(buildErr)
		}
		if err := client.Do(message, func(event stun.Event) {
			if event.Error != nil {
				log.Fatal(event.Error)
			}
			if event.Message.Contains(stun.AttrFingerprint) {
				if err := stun.Fingerprint.Check(event.Message); err != nil {
					log.Fatal(err)
				}
			}
			if err := mapped.GetFrom(event.Message); err != nil {
				log.Fatal(err)
			}
		}); err != nil {
			log.Fatal(err)
		}
		seen = append(seen, mapped.String())
	}

	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"local": connection.LocalAddr().String(), "seen": seen})
}
