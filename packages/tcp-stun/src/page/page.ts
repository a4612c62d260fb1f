import { answer } from '../metrics/web.ts'
import { CONTENT_SECURITY_POLICY, renderPage, renderSections } from './document.ts'
import { OutsideVisits } from './outside-visits.ts'
import { OwnNames } from './own-names.ts'
import { ServedCertificate } from './served-certificate.ts'
import { StatusReader } from './status-reader.ts'
import { forEverybody } from './status.ts'
import { Updates } from './updates.ts'
import { isFromMachine, visitorOf } from './visitor.ts'
import type { RenderedSection } from './document.ts'
import type { CertificateSource } from './served-certificate.ts'
import type { HelperStatus } from './status.ts'
import type { Audience } from './updates.ts'
import type { Request, VisitorRules } from './visitor.ts'
import type { Helper } from '../helper/options.ts'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

export interface StatusPageInit {
  helper: Helper

  /**
   * Answers `/health` and `/metrics`, and what else programs may ask for
   */
  programs: RequestListener

  /**
   * Host names of the helper besides those in its multiaddrs
   *
   * @default none
   */
  hostNames?: string[]

  /**
   * Whether connections from an address come from a load balancer: they are nobody's of this
   * machine
   */
  isProxy(host: string): boolean

  /**
   * The certificate for browsers
   *
   * @default none
   */
  certificate?: CertificateSource
}

/**
 * How often the page is rendered although nobody asks, in ms. The first time takes several times as long: nothing is
 * compiled yet, and no record of a peer was read.
 */
const WARM_UP_INTERVAL = 5_000

/**
 * Longer paths are nobody's
 */
const MAX_URL = 1_024
const HTML_TYPE = 'text/html; charset=utf-8'
const EVENTS_TYPE = 'text/event-stream'

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex'
}

/**
 * The status page of a helper, and what it tells to programs
 */
export class StatusPage {
  private readonly init: StatusPageInit
  private readonly rules: VisitorRules
  private readonly visits: OutsideVisits
  private readonly reader: StatusReader
  private readonly updates: Updates
  private readonly warmUp: NodeJS.Timeout

  /**
   * What was rendered last, by audience
   */
  private readonly rendered = new Map<Audience, { status: HelperStatus, sections: RenderedSection[] }>()

  constructor (init: StatusPageInit) {
    const { helper, hostNames = [], isProxy, certificate } = init
    const served = certificate == null ? undefined : new ServedCertificate(certificate)
    const names = new OwnNames(helper.node, hostNames)
    this.init = init
    this.rules = { isOwnName: name => names.has(name), isProxy }
    this.visits = new OutsideVisits(helper.node)
    this.reader = new StatusReader({
      helper,
      visits: this.visits,
      certificates: () => served?.read() ?? []
    })
    this.updates = new Updates({ render: audience => this.render(audience) })
    this.warmUp = setInterval(() => { this.prepare() }, WARM_UP_INTERVAL).unref()
  }

  /**
   * Render the page before somebody asks for it
   */
  prepare (): void {
    for (const audience of ['everybody', 'machine'] as const) {
      renderPage(this.render(audience))
    }

    // who asks next sees the state of now
    this.reader.forget()
  }

  /**
   * Answer a request. Where the port is open, `/health`, `/status.json` and `/metrics` are for
   * everybody who reaches it, else for the helper's own machine only.
   */
  handle (request: IncomingMessage, response: ServerResponse, isOpen: boolean): void {
    const { method, url = '', httpVersion, headers, headersDistinct, socket: { remoteAddress = '' } } = request
    const asked: Request = { url, httpVersion, headers, remoteAddress }
    const visitor = visitorOf(asked, this.rules)
    const [path] = url.split('?')
    Object.entries(HEADERS).forEach(([name, value]) => response.setHeader(name, value))

    if (headers['content-length'] != null || headers['transfer-encoding'] != null) {
      // nobody reads a body
      response.setHeader('connection', 'close')
    }

    if (headersDistinct.host != null && headersDistinct.host.length > 1) {
      // Node takes the first one (RFC 9112, section 3.2)
      answer(response, 400, 'text/plain', 'One Host\n')
    } else if (visitor === 'foreign') {
      response.writeHead(421, { connection: 'close' }).end()
    } else if (method !== 'GET' && method !== 'HEAD') {
      answer(response.setHeader('allow', 'GET, HEAD'), 405, 'text/plain', 'GET or HEAD\n')
    } else if (url.length > MAX_URL) {
      answer(response, 414, 'text/plain', 'The address is too long\n')
    } else if (path === '/') {
      answer(response, 200, HTML_TYPE, renderPage(this.render(visitor)))
    } else if (path === '/events') {
      this.follow(response, visitor, remoteAddress)
    } else if (!isOpen && !isFromMachine(asked, this.rules)) {
      answer(response, 404, 'text/plain', 'Not found\n')
    } else if (path === '/status.json') {
      answer(response, 200, 'application/json', `${JSON.stringify(this.read(visitor))}\n`)
    } else {
      this.init.programs(request, response as any)
    }
  }

  /**
   * End what is open
   */
  close (): void {
    clearInterval(this.warmUp)
    this.updates.close()
    this.visits.close()
  }

  private follow (response: ServerResponse, audience: Audience, address: string): void {
    if (response.req.method === 'HEAD') {
      answer(response, 200, EVENTS_TYPE, '')
    } else if (!this.updates.admits(address)) {
      answer(response.setHeader('retry-after', '30'), 503, 'text/plain', 'Too many pages are open\n')
    } else {
      response.writeHead(200, { 'content-type': EVENTS_TYPE, 'cache-control': 'no-store' })
      this.updates.add(response, audience, address)
    }
  }

  private render (audience: Audience): RenderedSection[] {
    const status = this.reader.read()
    const before = this.rendered.get(audience)

    if (before?.status === status) {
      return before.sections
    }

    const sections = renderSections(this.read(audience))
    this.rendered.set(audience, { status, sections })

    return sections
  }

  private read (audience: Audience): HelperStatus {
    const status = this.reader.read()

    return audience === 'machine' ? status : forEverybody(status)
  }
}
