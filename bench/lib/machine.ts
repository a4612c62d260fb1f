import { readFileSync } from 'node:fs'
import os from 'node:os'

export interface Machine {
  cpu: string
  cores: number

  /**
   * GiB
   */
  memory: number
  system: string
  node: string
}

export function machine (): Machine {
  const cpus = os.cpus()

  return {
    cpu: cpus[0]?.model.trim() ?? os.arch(),
    cores: cpus.length,
    memory: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version
  }
}

/**
 * The version of an installed package, for what a bench compares with
 */
export function packageVersion (name: string): string {
  return JSON.parse(readFileSync(new URL(`../../../node_modules/${name}/package.json`, import.meta.url), 'utf8'))
    .version
}
