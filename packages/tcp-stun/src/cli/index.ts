#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command } from 'commander'
import { fitHelp } from './help.ts'

const { version } = createRequire(import.meta.url)('tcp-stun/package.json')

/**
 * Loaded when needed: `check` does not wait for what a server needs
 */
const COMMANDS = new Map<string, () => Promise<Command>>([
  ['check', async () => (await import('./check.ts')).checkCommand()],
  ['server', async () => (await import('./server.ts')).serverCommand()],
  ['helper', async () => (await import('./helper.ts')).helperCommand()]
])
const named = COMMANDS.get(process.argv[2])
// without a name the help is shown, which lists them all
const commands = await Promise.all((named == null ? [...COMMANDS.values()] : [named]).map(async load => load()))

const HINT = '(--help lists the options)'

const program = fitHelp(new Command('tcp-stun'))
  .description('STUN over TCP: check your NAT, run a server, help your peers')
  .version(version)
  .showHelpAfterError(HINT)

commands.forEach(command => { program.addCommand(command.showHelpAfterError(HINT)) })

try {
  await program.parseAsync()
} catch (err: any) {
  process.stderr.write(`tcp-stun: ${err.message}\n`)
  process.exitCode = 1
}
