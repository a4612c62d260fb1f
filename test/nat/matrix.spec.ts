import { expect } from 'aegir/chai'
import { markdownTable } from 'markdown-table'
import { laboratory } from '../fixtures/laboratory.ts'
import { lastMapping, toEndpoint } from '../nat-lab/home.ts'
import { KINDS, cellsOf, homeAddress } from '../nat-lab/kinds.ts'
import { drawMatrix, report } from '../nat-lab/report/index.ts'
import type { Behaviour, Host, Lab, Program } from '../nat-lab/index.ts'
import type { Kind } from '../nat-lab/kinds.ts'
import type { Cell, MatrixRow } from '../nat-lab/report/index.ts'

const WORDS: Record<Cell, [string, string, string]> = {
  dialable: ['yes', 'yes', ''],
  announced: ['yes', 'no', ''],
  nothing: ['no', '', 'yes']
}

const SERVERS = { 4: ['11.0.0.1', '11.0.0.2', '11.0.0.3'], 6: ['2a00::1', '2a00::2', '2a00::3'] }
const OUTSIDE = { 4: '11.0.0.9', 6: '2a00::9' }
const RELAY = { 4: '11.0.0.8', 6: '2a00::8' }

describe('the matrix of NATs', function () {
  this.timeout(60_000)

  const { create } = laboratory('all')
  let lab: Lab
  let cells = 0
  const strangers: Record<number, Program> = {}
  const peers: Record<number, Program> = {}
  const peerIds: Record<number, string> = {}
  const relays: Record<number, string> = {}
  const measured: MatrixRow[] = []

  before(async () => {
    lab = await create()

    for (const version of [4, 6] as const) {
      for (const [i, address] of SERVERS[version].entries()) {
        const server = (await lab.host(`stun${version}-${i}`, { address })).run('stun-server', { host: address })
        await server.waitFor('listening')
      }

      const outside = await lab.host(`outside${version}`, { address: OUTSIDE[version] })
      strangers[version] = outside.run('dialler', { timeout: 1_000 })
      const listen = [`/ip${version}/${OUTSIDE[version]}/tcp/4001`]
      // what is public and listened on is announced once it is confirmed, which nobody does here
      peers[version] = outside.run('node', { listen, announced: listen, punch: true })
      peerIds[version] = (await peers[version].waitFor('started')).id
      const relayAddress = `/ip${version}/${RELAY[version]}/tcp/4001`
      const relay = (await lab.host(`relay${version}`, { address: RELAY[version] }))
        .run('node', { listen: [relayAddress], relay: true })
      relays[version] = `${relayAddress}/p2p/${(await relay.waitFor('started')).id}`
    }
  })

  after(async () => {
    const tables = KINDS.map(({ title }) => {
      const rows = measured.filter(row => row.kind === title)

      return `**${title}**\n\n${markdownTable([
        ['mapping', 'filtering', 'announced', 'a stranger can dial', 'an open peer connects directly after a relay'],
        ...rows.map(({ mapping, filtering, cell }) => [mapping, filtering, ...WORDS[cell]])
      ])}`
    })
    await report.write('nat-matrix.md', 'matrix', tables.join('\n\n'))
    await report.picture('nat-matrix.svg', drawMatrix(measured))
  })

  for (const kind of KINDS) {
    describe(kind.title, () => {
      for (const { mapping, filtering } of cellsOf(kind)) {
        it(`${mapping} mapping, ${filtering} filtering`, async () => { await cell(kind, mapping, filtering) })
      }
    })
  }

  async function cell (kind: Kind, mapping: Behaviour, filtering: Behaviour): Promise<void> {
    const { version } = kind
    cells++
    const external = version === 4 ? `11.1.0.${cells}` : `2a00:1::${cells.toString(16)}`
    const network = await kind.build(lab, `nat${cells}`, external, { mapping, filtering })
    const isDirect = kind.home == null
    const address = homeAddress(kind, network)
    const laptop: Host = await lab.host(`home${cells}`, { address, network })
    const home = laptop.run('node', {
      listen: [version === 4 ? '/ip4/0.0.0.0/tcp/4001' : '/ip6/::/tcp/4001'],
      stunServers: SERVERS[version].map(host => `stun:${version === 6 ? `[${host}]` : host}`),
      ...mapping !== 'endpoint-independent' && { punch: true, reserve: relays[version] }
    })
    const { id, addresses } = await home.waitFor('started')
    const outer = isDirect ? address : external
    const announced: string[] = addresses.filter((address: string) => toEndpoint(address).host === outer)
    let dialable = false

    if (announced.length > 0) {
      const stranger = await strangers[version].ask('probe', toEndpoint(announced[0]))
      dialable = stranger.failure == null
    }

    if (mapping === 'endpoint-independent') {
      expect(announced).to.have.lengthOf(1)
      // one server suffices for an address, the second shows how the NAT maps
      expect(
        await home.happened(({ event, behaviour }) => event === 'mapping' && behaviour === 'endpoint-independent')
      ).to.include({ state: isDirect ? 'direct' : 'mapped' })
      expect(toEndpoint(announced[0]).port === 4001).to.equal(kind.ports === 'preserved')
      expect(dialable).to.equal(filtering === 'endpoint-independent')
    } else {
      expect(announced).to.be.empty()
      expect(lastMapping(home)).to.include({ state: 'endpoint-dependent' })
      await home.happened(({ event }) => event === 'reserved')
      peers[version].send('dial', { address: `${relays[version]}/p2p-circuit/p2p/${id}` })
      // usually the home dials back, but with endpoint-independent filtering the peer may get in
      await home.happened(({ event, peer, relayed }) =>
        event === 'connected' && peer === peerIds[version] && relayed === false)
      peers[version].send('hangUp', { peer: id })
      await peers[version].waitFor('hung-up')
    }

    if (dialable) {
      peers[version].send('echo', { address: announced[0], bytes: 100_000 })
      expect(await peers[version].waitFor('echoed')).to.include({ bytes: 100_000, equal: true })
      peers[version].send('hangUp', { peer: id })
      await peers[version].waitFor('hung-up')
    }

    const reachable: Cell = dialable ? 'dialable' : 'announced'
    measured.push({ kind: kind.title, mapping, filtering, cell: announced.length === 0 ? 'nothing' : reachable })
    await home.stop()
  }
})
