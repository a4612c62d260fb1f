import { createInterface } from 'node:readline'

/**
 * What the program was started with
 */
export function readInit<T> (): T {
  return JSON.parse(process.argv[2] ?? '{}')
}

export function say (event: string, detail: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...detail })}\n`)
}

/**
 * Obey commands until the standard input ends, then clean up. A command that
 * fails is an event `failed`.
 */
export function obey (commands: Record<string, (args: any) => unknown>, cleanUp: () => unknown): void {
  const input = createInterface({ input: process.stdin })

  input.on('line', line => {
    const { command, ...args } = JSON.parse(line)

    Promise.resolve()
      .then(() => commands[command](args))
      .catch(err => { say('failed', { command, name: err.name, message: err.message }) })
  })

  input.once('close', () => {
    Promise.resolve(cleanUp()).catch(err => {
      process.stderr.write(`${err.stack}\n`)
      process.exitCode = 1
    })
  })
}
