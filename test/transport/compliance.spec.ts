import tests from '@libp2p/interface-compliance-tests/transport'
import { TCP } from '@multiformats/multiaddr-matcher'
import { tcpSTUN } from '../../src/index.ts'

for (const { name, listen } of [
  { name: 'IPv4', listen: '/ip4/127.0.0.1/tcp/0' },
  { name: 'IPv6', listen: '/ip6/::1/tcp/0' }
]) {
  describe(`transport compliance tests ${name}`, () => {
    tests({
      async setup () {
        const transports = [tcpSTUN()]

        return {
          dialer: { transports },
          listener: {
            addresses: { listen: [listen, listen] },
            transports
          },
          dialMultiaddrMatcher: TCP,
          listenMultiaddrMatcher: TCP
        }
      },
      async teardown () {}
    })
  })
}
