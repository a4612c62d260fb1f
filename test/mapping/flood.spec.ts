import { expect } from 'aegir/chai'
import { PublicMapping } from '../../src/mapping/index.ts'
import { encodeMessage } from '../../src/stun/message.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { mapped, mapsTo, stunServer, success } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'

describe('a STUN server that floods', () => {
  const { closeLater } = closesAfterEach()

  it('is dropped, is told of in the status and rests, while the honest one holds the mapping', async () => {
    const flooding = closeLater(await stunServer((request, socket) => {
      const indication = encodeMessage({ ...request, class: 'indication', attributes: [] })
      const more = Buffer.concat(Array.from({ length: 1_000 }, () => indication))
      const send = (): void => {
        while (!socket.destroyed && socket.write(more)) {
          // until the client's window is full
        }
      }
      socket.write(success(request, mapped('11.0.0.1', 4001)))
      socket.on('drain', send)
      send()

      return undefined
    }))
    const honest = closeLater(await mapsTo('11.0.0.1', 4001))
    const mapping = closeLater(new PublicMapping({
      listener: '127.0.0.1:4001',
      stunServers: [flooding.uri, honest.uri],
      // nothing is asked again until the test moves the time
      clock: new HeldClock()
    }))
    await mapping.start({ signal: AbortSignal.timeout(5_000) })
    await waitUntil('the server that floods has failed', () => mapping.status.failures.length > 0)
    const [{ server, error }] = mapping.status.failures

    expect(server).to.equal(flooding.uri)
    expect(error).to.have.property('name', 'STUNProtocolError')
    expect(mapping.status.state).to.equal('mapped')
    await waitUntil('its connection has ended', () => flooding.sockets.size === 0)
    expect(flooding.accepted).to.equal(1)
    expect(honest.sockets.size).to.equal(1)
  })
})
