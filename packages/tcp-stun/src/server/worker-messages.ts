import type { ClientEvent, ClientEventDetail } from './event-forwarder.ts'
import type { STUNServerCounters, STUNServerInit } from 'libp2p-tcp-stun/server'
import type { SecureContextOptions } from 'node:tls'

/**
 * What the parent process sends to a worker
 */
export type WorkerCommand =
  { type: 'listen', init: Omit<STUNServerInit, 'logger'>, events: ClientEvent[] } |
  { type: 'forward', events: ClientEvent[] } |
  { type: 'tls', options: SecureContextOptions } |
  { type: 'drain', deadline?: number } |
  { type: 'close' }

/**
 * What a worker sends to its parent process
 */
export type WorkerReport =
  { type: 'listening' } |
  { type: 'failed', message: string, code?: string } |
  { type: 'status', counters: STUNServerCounters, overloaded: boolean } |
  { type: 'event', name: ClientEvent, detail: ClientEventDetail }

/**
 * How often a worker sends its status, in ms. It is its heartbeat too.
 */
export const STATUS_INTERVAL = 500
