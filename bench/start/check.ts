import { fileURLToPath } from 'node:url'
import { startServer } from '../../test/nat-lab/home.ts'
import { Lab } from '../../test/nat-lab/index.ts'
import type { Router } from '../../test/nat-lab/index.ts'

const COMMAND = fileURLToPath(new URL('../../../packages/tcp-stun/dist/src/cli/index.js', import.meta.url))
const SERVERS = ['11.0.0.1', '11.0.0.2']

/**
 * A home behind a NAT, and two STUN servers on the internet
 */
export class CheckedHome {
  private hosts = 0

  private constructor (private readonly lab: Lab, private readonly router: Router) {}

  /**
   * @param roundTrip - between the home and the internet, in ms
   */
  static async create (roundTrip: number): Promise<CheckedHome> {
    const lab = await Lab.create()

    try {
      for (const [i, address] of SERVERS.entries()) {
        await startServer(await lab.host(`stun${i}`, { address }), {})
      }

      const router = await lab.router('router', { address: '11.1.0.1', ports: 'random', latency: roundTrip / 2 })

      return new CheckedHome(lab, router)
    } catch (err) {
      await lab.close()
      throw err
    }
  }

  /**
   * How long `tcp-stun check` takes, from the start of its process to its end, in ms
   *
   * Each is the first one of its machine: a router refuses only some packets of each host in a row, and the check waits
   * longer for one that is silent.
   */
  async check (): Promise<number> {
    const number = ++this.hosts
    const host = await this.lab.host(`home${number}`, { address: `192.168.1.${1 + number}`, network: this.router })
    const start = performance.now()
    const program = host.exec(process.execPath, [
      COMMAND, 'check', '--ipv4', ...SERVERS.flatMap(address => ['--server', `stun:${address}`])
    ])
    await program.waitFor('exit')

    return performance.now() - start
  }

  async close (): Promise<void> {
    await this.lab.close()
  }
}
