import tests from '@libp2p/interface-compliance-tests/transport'
import { webSockets } from '@libp2p/websockets'
import { TCP, WebSockets } from '@multiformats/multiaddr-matcher'
import { tcpSTUN } from '../../src/index.ts'
import type { MultiaddrMatcher } from '@multiformats/multiaddr-matcher'
import type { Libp2pInit } from 'libp2p'

/**
 * The suite encrypts by plaintext, which hands on a write of 10 MiB as one message. Noise
 * and TLS send pieces of 64 KiB.
 */
const MAX_MESSAGE_SIZE = 16 * 1_048_576

/**
 * The listener of each suite shares its port. It is dialled by TCP, and by WebSocket with
 * the transport of js-libp2p.
 */
for (const { name, dialer, matcher } of [
  { name: 'TCP', dialer: { transports: [tcpSTUN()] }, matcher: TCP },
  {
    name: 'WebSocket',
    dialer: { transports: [webSockets()], connectionGater: { denyDialMultiaddr: () => false } },
    matcher: WebSockets
  }
] satisfies Array<{ name: string, dialer: Libp2pInit, matcher: MultiaddrMatcher }>) {
  for (const { family, listen } of [
    { family: 'IPv4', listen: '/ip4/127.0.0.1/tcp/0' },
    { family: 'IPv6', listen: '/ip6/::1/tcp/0' }
  ]) {
    describe(`transport compliance tests of a shared port, ${name} over ${family}`, () => {
      tests({
        async setup () {
          return {
            dialer,
            listener: {
              addresses: { listen: [listen, listen] },
              transports: [tcpSTUN({ webSockets: { maxMessageSize: MAX_MESSAGE_SIZE } })]
            },
            dialMultiaddrMatcher: matcher,
            listenMultiaddrMatcher: TCP
          }
        },
        async teardown () {}
      })
    })
  }
}
