import { fileURLToPath } from 'node:url'
import { startServer } from '../../test/nat-lab/home.ts'
import { Lab, labSupport } from '../../test/nat-lab/index.ts'
import type { Program, Router } from '../../test/nat-lab/index.ts'

/**
 * A home behind a NAT, two STUN servers and a web server on the internet
 */
export interface Home {
  router: Router
  client: Program
  close(): Promise<void>
}

/**
 * @throws {Error} this machine cannot run a laboratory, with what is missing
 */
export function assertLaboratory (): void {
  const support = labSupport()

  if (!support.supported) {
    throw new Error(`The NAT laboratory needs ${support.missing}`)
  }
}

/**
 * How many servers of each kind there are
 */
export interface Servers {
  answering: number

  /**
   * Hosts that drop all packets
   */
  silent: number

  /**
   * Hosts that reset each connection
   */
  refusing: number
}

/**
 * @param roundTrip - between the home and the internet, in ms
 */
export async function setUpHome (
  roundTrip: number, { answering, silent, refusing }: Servers = { answering: 2, silent: 0, refusing: 0 }
): Promise<Home> {
  const lab = await Lab.create()

  try {
    const hosts = await Promise.all(
      Array.from({ length: answering + silent + refusing }, async (_, i) =>
        lab.host(`stun${i + 1}`, { address: `11.0.0.${i + 1}` }))
    )
    await Promise.all(hosts.slice(0, answering).map(async host => startServer(host, {})))
    await Promise.all(hosts.slice(answering, answering + silent).map(async host => host.freeze()))
    const web = await lab.host('web', { address: '11.0.0.80' })
    await web
      .exec(process.execPath, [program('web-server'), JSON.stringify({ host: web.address })])
      .waitFor('listening')
    const router = await lab.router('router', { address: '11.1.0.1', ports: 'random', latency: roundTrip / 2 })
    const home = await lab.host('home', { address: '192.168.1.2', network: router })
    const client = home.exec(process.execPath, [
      program('lab-client'),
      JSON.stringify({ servers: hosts.map(({ address }) => address), web: web.address })
    ])
    await client.waitFor('started')

    return { router, client, close: async () => lab.close() }
  } catch (err) {
    await lab.close()
    throw err
  }
}

function program (name: string): string {
  return fileURLToPath(new URL(`${name}.js`, import.meta.url))
}
