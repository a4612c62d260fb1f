import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { externalAddresses, setUpHome } from '../nat-lab/home.ts'
import type { Home, ServerKind } from '../nat-lab/home.ts'

const POOL = ['11.1.0.1', '11.1.0.2']

/**
 * Servers that hang up, so that the NAT draws again and again
 */
const HANGING_UP: ServerKind = { hangUp: byExtent({ sample: 1_000, full: 3_000, report: 3_000 }) }

/**
 * How many connections the NAT draws an address for
 */
const CONNECTIONS = byExtent({ sample: 20, full: 40, report: 40 })

/**
 * An address, the other one, and the first again. The next return shows that there is
 * a pool.
 */
const MOST_ADDRESSES = 3

/**
 * RFC 4787, section 4.1: "IP address pooling" is "arbitrary"
 */
describe('a NAT that draws one of two public addresses for each connection', function () {
  this.timeout(180_000)

  const { create } = laboratory('each')

  async function setUp (servers: ServerKind[]): Promise<Home> {
    return setUpHome(await create(), {
      servers,
      ports: 'preserved',
      prepare: async ({ router }) => {
        // it also forgets a connection at once that was reset: it would give the same one its address again
        await router.sh(`
          sysctl -q -w net.netfilter.nf_conntrack_tcp_timeout_close=0
          ip addr add ${POOL[1]}/8 dev wan
          nft flush chain ip nat postrouting
          nft add rule ip nat postrouting oifname wan meta l4proto tcp \\
            snat to numgen random mod 2 map '{ 0 : ${POOL[0]}, 1 : ${POOL[1]} }'`)
      }
    })
  }

  /**
   * The public addresses of all connections to the servers, once there are so many
   */
  async function drawn ({ servers }: Home, count: number): Promise<string[]> {
    const clients = (): string[] => servers.flatMap(({ program }) =>
      program.events.filter(({ event }) => event === 'binding').map(({ client }) => client.host))

    while (clients().length < count) {
      await servers[0].program.waitFor('binding')
    }

    return clients()
  }

  const announced = ({ program }: Home): string[] => externalAddresses(program).filter(address => address != null)

  it('has the address announced that a connection holds, and not another one at each hang-up', async () => {
    const home = await setUp([HANGING_UP, HANGING_UP, HANGING_UP])

    expect([...new Set(await drawn(home, CONNECTIONS))]).to.have.members(POOL)
    expect(announced(home)).to.have.length.at.most(MOST_ADDRESSES)
  })

  it('shows when the addresses of one server return twice: nothing is announced any longer', async () => {
    const home = await setUp([HANGING_UP])
    await home.program.waitFor('mapping', ({ isPooled }) => isPooled === true, 120_000)
    const before = announced(home)
    expect(before).to.have.length.at.most(MOST_ADDRESSES)

    const { length } = await drawn(home, 0)
    await drawn(home, length + 5)
    expect(announced(home)).to.deep.equal(before)
  })
})
