import { fileURLToPath } from 'node:url'
import { startServer } from '../../test/nat-lab/home.ts'
import { Lab } from '../../test/nat-lab/index.ts'
import type { Host } from '../../test/nat-lab/index.ts'

const COMMAND = fileURLToPath(new URL('../../../packages/tcp-stun/dist/src/cli/index.js', import.meta.url))
const SERVERS = ['11.0.0.1', '11.0.0.2']

/**
 * A home behind a NAT, and two STUN servers on the internet
 */
export class CheckedHome {
  private constructor (private readonly lab: Lab, private readonly home: Host) {}

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

      return new CheckedHome(lab, await lab.host('home', { address: '192.168.1.2', network: router }))
    } catch (err) {
      await lab.close()
      throw err
    }
  }

  /**
   * How long `tcp-stun check` takes, from the start of its process to its end, in ms
   */
  async check (): Promise<number> {
    const start = performance.now()
    const program = this.home.exec(process.execPath, [
      COMMAND, 'check', '--ipv4', ...SERVERS.flatMap(address => ['--server', `stun:${address}`])
    ])
    await program.waitFor('exit')

    return performance.now() - start
  }

  async close (): Promise<void> {
    await this.lab.close()
  }
}
