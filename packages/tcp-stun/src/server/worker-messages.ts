import type { ClientEvent, ClientEventDetail } from './worker-events.ts'
import type { STUNServerCounters } from 'libp2p-tcp-stun/server'
import type { STUNServerAddress, STUNServerInit } from 'libp2p-tcp-stun/server'
import type { SecureContextOptions } from 'node:tls'

/**
 * What a worker is told by the process that started it
 */
export type ToWorker =
  { type: 'listen', init: Omit<STUNServerInit, 'logger'>, events: ClientEvent[] } |
  { type: 'watch', events: ClientEvent[] } |
  { type: 'tls', options: SecureContextOptions } |
  { type: 'drain', deadline?: number } |
  { type: 'close' }

/**
 * What a worker tells
 */
export type FromWorker =
  { type: 'listening', addresses: STUNServerAddress[] } |
  { type: 'failed', message: string, code?: string } |
  { type: 'counters', counters: STUNServerCounters } |
  { type: 'event', name: ClientEvent, detail: ClientEventDetail }

/**
 * How often a worker tells what it has counted, in ms
 */
export const COUNTERS_INTERVAL = 500
