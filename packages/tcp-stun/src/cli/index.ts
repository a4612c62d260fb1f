#!/usr/bin/env node
import { Command } from 'commander'
import { checkCommand } from './check.ts'
import { helperCommand } from './helper.ts'
import { serverCommand } from './server.ts'

const program = new Command('tcp-stun')
  .description('STUN over TCP: a server that keeps connections, and a check of what your NAT allows')
  .showHelpAfterError('(--help says more)')
  .addCommand(serverCommand())
  .addCommand(checkCommand())
  .addCommand(helperCommand())

try {
  await program.parseAsync()
} catch (err: any) {
  process.stderr.write(`tcp-stun: ${err.message}\n`)
  process.exitCode = 1
}
