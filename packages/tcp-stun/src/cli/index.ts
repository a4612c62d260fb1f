#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command } from 'commander'
import { checkCommand } from './check.ts'
import { helperCommand } from './helper.ts'
import { serverCommand } from './server.ts'

const { version } = createRequire(import.meta.url)('tcp-stun/package.json')

const program = new Command('tcp-stun')
  .description('STUN over TCP: check your NAT, run a server, help your peers')
  .version(version)
  .showHelpAfterError('(--help lists the options)')
  .addCommand(checkCommand())
  .addCommand(serverCommand())
  .addCommand(helperCommand())

try {
  await program.parseAsync()
} catch (err: any) {
  process.stderr.write(`tcp-stun: ${err.message}\n`)
  process.exitCode = 1
}
