/**
 * Runs programs of the documentation one after another. Their variables at the top level
 * are exported, so that it can look at them, and stop what they have started.
 */
import { pathToFileURL } from 'node:url'
import { natStatus } from 'libp2p-tcp-stun'
import { emit, handleCommands } from '../../child/commands.ts'
import { waitUntil } from '../../fixtures/wait-until.ts'

let variables: Record<string, any> = {}

handleCommands({
  run: async ({ file }) => {
    variables = await import(pathToFileURL(file).href)
    emit('ran')
  },
  see: async ({ text }) => {
    await waitUntil(`the variables show ${text}`, () => JSON.stringify(describe()).includes(text))
    emit('seen')
  },
  stop: async () => {
    await stop()
    emit('stopped')
  }
}, async () => {
  await stop()
  // a board has its store open, and a port mapping its timer
  process.exit()
})

function describe (): Record<string, unknown> {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, describeValue(value)]))
}

/**
 * What can be seen of a node; of anything else its type
 */
function describeValue (value: any): unknown {
  if (typeof value?.getMultiaddrs !== 'function') {
    return typeof value
  }

  return {
    addresses: value.getMultiaddrs().map(String),
    peers: value.getPeers().map(String),
    listeners: natStatus(value).listeners.map(({ state, ...status }) => ({
      state,
      external: 'external' in status ? status.external.toString() : undefined
    }))
  }
}

async function stop (): Promise<void> {
  // what was made last is based on what was made before
  for (const value of Object.values(variables).reverse()) {
    await (value?.stop?.() ?? value?.close?.())
  }

  variables = {}
}
