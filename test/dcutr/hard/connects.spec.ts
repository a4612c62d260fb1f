import { expect } from 'aegir/chai'
import { Connects } from '../../../src/dcutr/hard/connects.ts'
import { bindSocket } from '../../../src/net/bound-socket.ts'
import { closesAfterEach } from '../../fixtures/cleanup.ts'

const LOOPBACK = '127.0.0.1'

describe('the connects of a hard punch', () => {
  const { closing } = closesAfterEach()

  /**
   * A port of this machine that resets those that connect
   */
  function refusingPort (): number {
    const bound = bindSocket({ host: LOOPBACK, port: 0 })
    closing.push(bound)

    return bound.port
  }

  it('a reset that has arrived while the process was busy is seen', async () => {
    const connects = new Connects({ host: LOOPBACK, port: refusingPort() })
    closing.push(connects)
    const timeout = 20
    const reception = connects.test(timeout, { signal: AbortSignal.timeout(2_000) })
    const begin = performance.now()

    while (performance.now() - begin < 2 * timeout) {
      // the timer is due before the socket is read
    }

    expect(await reception).to.equal('reset')
  })
})
