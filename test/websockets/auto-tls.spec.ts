import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from '../../src/index.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { mapsTo } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { Announce } from '../../src/index.ts'
import type { Libp2pEvents } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'

const NAME = '11-0-0-1.k51qzi5uqu5dtest.libp2p.direct'
const SECURE = `/ip4/11.0.0.1/tcp/4001/tls/sni/${NAME}/ws`

interface Components {
  addressManager: { addDNSMapping (domain: string, addresses: string[]): void }
  events: TypedEventTarget<Libp2pEvents>
}

/**
 * What AutoTLS does once it has a certificate: the events and the name are real, ACME and
 * the registration of the name are left out
 */
describe('a node with AutoTLS', () => {
  const { closeLater } = closesAfterEach()

  async function start (announce: Announce): Promise<{ addresses(): string[] }> {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const certificate = closeLater(createCertificate())
    let components: Components | undefined
    const node = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcpSTUN({ stunServers: [server.uri], webSockets: true, announce })],
      services: { components: (all: any) => { components = all } }
    })
    closeLater({ close: async () => { await node.stop() } })
    const { key, cert } = certificate
    components?.addressManager.addDNSMapping(NAME, ['11.0.0.1'])
    components?.events.dispatchEvent(new CustomEvent('certificate:provision', { detail: { key, cert } }))

    return {
      addresses: () => node.getMultiaddrs()
        .map(ma => ma.toString().split('/p2p/')[0])
        .filter(ma => ma.includes('11.0.0.1'))
    }
  }

  it('announces its name where it announces its address, as the rules of reachability have it', async () => {
    const { addresses } = await start('dialable')
    await waitUntil('the name is announced', () => addresses().includes(SECURE))

    expect(addresses().sort()).to.deep.equal(['/ip4/11.0.0.1/tcp/4001', SECURE, '/ip4/11.0.0.1/tcp/4001/ws'].sort())
  })

  it('announces neither where it does not', async () => {
    const { addresses } = await start('never')

    expect(addresses()).to.deep.equal([])
  })
})
