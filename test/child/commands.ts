/**
 * The side of the program in the protocol that every child process of the tests
 * and benches speaks, the peers in go and rust too: options as JSON in the first
 * argument, commands on the standard input and events on the standard output, a
 * line of JSON each.
 */
import { createInterface } from 'node:readline'

/**
 * What the program was started with
 */
export function readOptions<T> (): T {
  return JSON.parse(process.argv[2] ?? '{}')
}

/**
 * Report an event
 */
export function emit (event: string, detail: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...detail })}\n`)
}

/**
 * Run commands until the standard input ends, then clean up. A command that
 * fails is an event `failed`.
 */
export function handleCommands (commands: Record<string, (args: any) => unknown>, cleanUp: () => unknown): void {
  const input = createInterface({ input: process.stdin })

  input.on('line', line => {
    const { command, ...args } = JSON.parse(line)

    Promise.resolve()
      .then(() => commands[command](args))
      .catch(err => { emit('failed', { command, name: err.name, message: err.message }) })
  })

  input.once('close', () => {
    Promise.resolve(cleanUp()).catch(err => {
      process.stderr.write(`${err.stack}\n`, () => { process.exit(1) })
    })
  })
}
