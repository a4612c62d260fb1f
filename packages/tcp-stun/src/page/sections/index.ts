import { helpers, namespaces } from './board.ts'
import { connect } from './connect.ts'
import { peers } from './peers.ts'
import { refusals } from './refusals.ts'
import { state } from './state.ts'
import { usage } from './usage.ts'
import type { HTML } from '../html.ts'
import type { HelperStatus } from '../status.ts'

/**
 * A part of the page that is replaced when it has changed
 */
export interface Section {
  id: string
  render(status: HelperStatus): HTML
}

/**
 * In the order of the page
 */
export const SECTIONS: Section[] = [
  { id: 'state', render: state },
  { id: 'connect', render: connect },
  { id: 'usage', render: usage },
  { id: 'peers', render: peers },
  { id: 'namespaces', render: namespaces },
  { id: 'refusals', render: refusals },
  { id: 'helpers', render: helpers }
]
