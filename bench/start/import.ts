import { execFileSync } from 'node:child_process'

export interface Import {
  /**
   * From `import` to its end, in ms
   */
  time: number

  /**
   * What the process takes then, in bytes
   */
  memory: number
}

const PROGRAM = `
  const start = performance.now()
  await import(process.argv[1])
  const time = performance.now() - start
  console.log(JSON.stringify({ time, memory: process.memoryUsage.rss() }))`

/**
 * Import a package in a process of its own
 */
export function importPackage (folder: string, name: string): Import {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', PROGRAM, name], {
    cwd: folder, encoding: 'utf8'
  })

  return JSON.parse(output)
}
