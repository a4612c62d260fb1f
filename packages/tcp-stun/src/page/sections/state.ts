import { moment, plural } from '../format.ts'
import { html } from '../html.ts'
import { sign } from './parts.ts'
import type { Tone } from './parts.ts'
import type { HTML } from '../html.ts'
import type { CertificateStatus, HelperStatus, Reachability } from '../status.ts'

const DAY = 24 * 60 * 60_000

/**
 * AutoTLS renews 30 days before the end: less than this is a certificate that is not renewed
 */
const SOON = 7 * DAY

interface Fact {
  tone: Tone
  title: string
  text: HTML
}

/**
 * Whether the helper can do its work
 */
export function state (status: HelperStatus): HTML {
  const facts = [
    serving(status),
    reachability(status.reachability),
    ...certificates(status),
    access(status),
    ...status.board.store === 'failing' ? [STORE_FAILING] : []
  ]

  return html`
<h2 class="hidden">State</h2>
<ul class="facts">
${facts.map(({ tone, title, text }) => html`<li>${sign(tone)}<div><h3>${title}</h3><p>${text}</p></div></li>
`)}</ul>
`
}

const STORE_FAILING: Fact = {
  tone: 'bad',
  title: 'The board is not stored',
  text: html`Registrations are in memory only, and would be lost by a restart.`
}

function serving ({ state, since, usage: { reservations: { used, max } } }: HelperStatus): Fact {
  if (state !== 'started') {
    return { tone: 'warning', title: `The helper is ${state}`, text: html`It takes no new peers now.` }
  }

  const text = html`Started ${moment(since)}.`

  return used >= max
    ? { tone: 'warning', title: 'The helper is full', text: html`It gives no more reservations. ${text}` }
    : { tone: 'good', title: 'The helper is serving', text }
}

function reachability (reachability: Reachability): Fact {
  switch (reachability.kind) {
    case 'reached': return {
      tone: 'good',
      title: 'Reachable from outside',
      text: html`The latest peer from the internet connected ${moment(reachability.latest)}.`
    }
    case 'not-reached-yet': return {
      tone: 'warning',
      title: 'Not reached from outside yet',
      text: html`No peer from the internet has connected. Is the port open in the firewall?`
    }
    default: return {
      tone: 'bad',
      title: 'No public address',
      text: html`Peers of other networks cannot connect. A machine behind a 1:1 NAT needs <code>--external-ip</code>.`
    }
  }
}

function certificates ({ certificates, addresses }: HelperStatus): Fact[] {
  if (certificates.length === 0) {
    return addresses.some(address => address.includes('/ws'))
      ? [{ tone: 'neutral', title: 'No certificate', text: html`Browsers can connect from pages on http only.` }]
      : [{ tone: 'neutral', title: 'No certificate', text: html`The helper does not take WebSockets with TLS.` }]
  }

  return certificates.map(certificate)
}

function certificate ({ names, expires }: CertificateStatus): Fact {
  const left = expires - Date.now()
  const of = names.length === 0 ? '' : ` for ${names.join(', ')}`

  if (left <= 0) {
    return { tone: 'bad', title: 'The certificate has expired', text: html`Valid${of} until ${moment(expires)}.` }
  }

  return {
    tone: left < SOON ? 'warning' : 'good',
    title: left < SOON ? 'The certificate expires soon' : 'Certificate valid',
    text: html`Valid${of} for ${plural(Math.floor(left / DAY), 'day')}, until ${day(expires)}.`
  }
}

function day (time: number): HTML {
  const iso = new Date(time).toISOString().slice(0, 10)

  return html`<time datetime="${iso}" data-fixed>${iso}</time>`
}

function access ({ access: { members, networkKey, stunCredential } }: HelperStatus): Fact {
  const needs = [
    ...members == null ? [] : [`for the ${plural(members, 'peer')} on its list`],
    ...networkKey ? ['with the key of the network'] : []
  ]
  const stun = stunCredential ? ' The STUN server asks for a password.' : ''

  return needs.length === 0
    ? { tone: 'neutral', title: 'Open to everybody', text: html`No list of peers, and no network key.${stun}` }
    : { tone: 'good', title: 'Members only', text: html`The helper serves nodes ${needs.join(' ')}.${stun}` }
}
