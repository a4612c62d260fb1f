import { spawn } from 'node:child_process'
import { access, readlink } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { laboratory } from '../fixtures/laboratory.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { startServer } from '../nat-lab/home.ts'
import { ALLOCATIONS } from '../nat-lab/index.ts'

const LAB = path.join(path.dirname(fileURLToPath(import.meta.url)), '../nat-lab/index.js')

describe('the NAT laboratory', function () {
  this.timeout(60_000)

  const { create } = laboratory('each')

  const REFUSED: Array<{ option: string, place?: object, nat?: object }> = [
    { option: 'mapping', nat: { mapping: 'nonsense' } },
    { option: 'filtering', nat: { filtering: 'none' } },
    { option: 'ports', nat: { ports: 'odd' } },
    { option: 'ports', nat: { ports: 'preserved', mapping: 'address-dependent' } },
    { option: 'ports', nat: { ports: { type: 'random', ranges: [] } } },
    { option: 'ports', nat: { ports: { type: 'random', ranges: [{ from: 2, to: 1 }] } } },
    { option: 'ports', nat: { ports: { type: 'sequential', step: 256, from: 1, to: 300 } } },
    { option: 'ports', nat: { ports: { type: 'sequential', step: 1, from: 1, to: 70_000 } } },
    { option: 'ports', nat: { ports: ALLOCATIONS['steps of 1'], mapping: 'address-dependent' } },
    { option: 'hairpin', nat: { hairpin: 'yes' } },
    { option: 'unsolicited', nat: { unsolicited: 'ignore' } },
    { option: 'timeout', nat: { timeout: 0 } },
    { option: 'timeout', nat: { timeout: 1.5 } },
    { option: 'latency', place: { latency: -1 } },
    { option: 'latency', place: { latency: NaN } },
    { option: 'address', place: { address: 'home' } },
    { option: 'lan', place: { lan: '192.168.1.1' } },
    { option: 'name', place: { name: 'Not A Name' } }
  ]

  it('refuses invalid options by name, and can be used after that', async () => {
    const lab = await create()

    for (const { option, place, nat } of REFUSED) {
      const { name, ...init } = { name: 'router', address: '11.1.0.1', ...place, ...nat }
      const err = await lab.router(name, init as any).catch(err => err)
      expect(err, JSON.stringify(init)).to.be.an.instanceOf(RangeError)
      expect(err.message).to.match(new RegExp(`^${option} `))
    }

    const router = await lab.router('router', { address: '11.1.0.1' })
    expect(await router.sh('ip -4 -o addr show dev wan')).to.include('11.1.0.1/8')
  })

  it('refuses invalid options of a server by name', async () => {
    const host = await (await create()).host('server', { address: '11.0.0.1' })

    for (const kind of [
      { hangUp: -1 },
      { hangUp: 'never' },
      { lie: { host: 'nowhere', port: 1 } },
      { lie: { host: '11.0.0.9', port: 0 } },
      { port: 70_000 },
      { coturn: 0 }
    ]) {
      const err = await startServer(host, kind as any).catch(err => err)
      expect(err, JSON.stringify(kind)).to.be.an.instanceOf(RangeError)
      expect(err.message).to.match(new RegExp(`^${Object.keys(kind)[0]} `))
    }
  })

  it('reports which command failed, and why', async () => {
    const host = await (await create()).host('host', { address: '11.0.0.1' })
    const err = await host.sh('ip addr add 11.0.0.1/8 dev eth0').catch(err => err)
    expect(err).to.have.property('name', 'LabError')
    expect(err.message).to.include('in host: ip addr add 11.0.0.1/8 dev eth0').and.to.include('assigned')
  })

  it('is isolated from another one with the same names and addresses', async () => {
    const labs = await Promise.all([create(), create()])
    const servers = await Promise.all(labs.map(async lab => {
      const server = (await lab.host('server', { address: '11.0.0.1' })).run('stun-server', { host: '11.0.0.1' })
      await server.waitFor('listening')

      return server
    }))
    // a change of one does not affect the other
    await servers[1].stop()

    for (const [i, lab] of labs.entries()) {
      const dialler = (await lab.host('dialler', { address: '11.0.0.2' })).run('dialler')
      await dialler.waitFor('ready')
      const { failure } = await dialler.ask('probe', { host: '11.0.0.1', port: 3478 })
      expect(failure).to.equal(i === 0 ? undefined : 'ECONNREFUSED')
    }
  })

  it('leaves nothing behind when its process is killed', async () => {
    await create()
    const child = spawn(process.execPath, ['--input-type=module', '-e', `
      import { Lab } from ${JSON.stringify(LAB)}
      const lab = await Lab.create()
      const host = await lab.host('host', { address: '11.0.0.1' })
      host.run('stun-server', { host: '11.0.0.1' })
      console.info(await host.sh('echo $PPID; ip netns pids host'))
    `])
    const pids = String(await pEvent(child.stdout, 'data', { timeout: 20_000 })).trim().split(/\s+/).slice(1)
    expect(pids).to.not.be.empty()
    const namespace = await readlink(`/proc/${pids[0]}/ns/net`)
    expect(namespace).to.not.equal(await readlink('/proc/self/ns/net'))

    const closed = pEvent(child, 'close', { timeout: 10_000 })
    child.kill('SIGKILL')
    await closed

    // programs end with the killed process, whose pipe was their standard output
    const isThere = async (pid: string): Promise<boolean> => access(`/proc/${pid}`).then(() => true, () => false)

    await waitUntil('no process is left', async () => !(await Promise.all(pids.map(isThere))).includes(true), 30_000)
  })
})
