import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Program } from '../child/program.ts'
import { Lab } from '../nat-lab/index.ts'

const PROGRAMS = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'nat-lab', 'programs')

/**
 * Where the programs of the story run
 */
export interface Stage {
  stunServers: Array<{ uri: string, program: Program }>

  /** Alice is at home behind a NAT, on our transport */
  alice(options: object): Program

  /** Bob is at home behind another NAT, on the TCP transport of js-libp2p */
  bob(): Program

  /** Carol is on the internet, on the TCP transport of js-libp2p */
  carol(): Program
  aliceAddress: string
  bobAddress: string
  carolAddress: string

  /** The public addresses of the routers, where there are any */
  routers?: { alice: string, bob: string }
  close(): Promise<void>
}

/**
 * How long Alice's router remembers an external port, in seconds: a home
 * router's minute, 15 times as fast
 */
export const NAT_TIMEOUT = 4

/**
 * Two homes with routers of their own, on an internet with two STUN servers
 */
export async function laboratory (): Promise<Stage> {
  const lab = await Lab.create()

  try {
    const stunHosts = [
      await lab.host('stun1', { address: '11.0.0.1' }),
      await lab.host('stun2', { address: '11.0.0.2' })
    ]
    const internet = await lab.host('carol', { address: '11.0.0.3' })
    const router1 = await lab.router('router1', {
      address: '11.1.0.1',
      filtering: 'endpoint-independent',
      ports: 'hashed',
      timeout: NAT_TIMEOUT
    })
    const router2 = await lab.router('router2', { address: '11.2.0.1', lan: '192.168.2.1/24' })
    const home1 = await lab.host('alice', { address: '192.168.1.2', network: router1 })
    const home2 = await lab.host('bob', { address: '192.168.2.2', network: router2 })

    return {
      stunServers: stunHosts.map(host => ({
        uri: `stun:${host.address}`,
        program: host.run('stun-server', { host: host.address })
      })),
      alice: options => home1.run('node', { ...options, listen: ['/ip4/0.0.0.0/tcp/4001'] }),
      bob: () => home2.run('node', { listen: ['/ip4/0.0.0.0/tcp/4001'] }),
      carol: () => internet.run('node', { listen: ['/ip4/0.0.0.0/tcp/4001'] }),
      aliceAddress: home1.address,
      bobAddress: home2.address,
      carolAddress: internet.address,
      routers: { alice: router1.address, bob: router2.address },
      close: async () => lab.close()
    }
  } catch (err) {
    await lab.close()
    throw err
  }
}

/**
 * The same programs without networks between them
 */
export async function loopback (): Promise<Stage> {
  const programs: Program[] = []
  const run = (name: string, init: object): Program => {
    const program = new Program(
      name,
      spawn(process.execPath, [path.join(PROGRAMS, `${name}.js`), JSON.stringify(init)])
    )
    programs.push(program)

    return program
  }
  const stunServers = []

  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const program = run('stun-server', { host, port: 0 })
    const { addresses: [{ port }] } = await program.waitFor('listening')
    stunServers.push({ uri: `stun:${host}:${port}`, program })
  }

  return {
    stunServers,
    alice: options => run('node', { ...options, listen: ['/ip4/127.0.0.1/tcp/0'], allowPrivateMapping: true }),
    bob: () => run('node', { listen: ['/ip4/127.0.0.1/tcp/0'] }),
    carol: () => run('node', { listen: ['/ip4/127.0.0.1/tcp/0'] }),
    aliceAddress: '127.0.0.1',
    bobAddress: '127.0.0.1',
    carolAddress: '127.0.0.1',
    close: async () => { await Promise.all(programs.map(async program => program.stop())) }
  }
}
