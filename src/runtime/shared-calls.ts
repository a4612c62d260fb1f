import { raceSignal } from 'race-signal'

interface Call<T> {
  promise: Promise<T>
  controller: AbortController
  callers: number
}

/**
 * Callers that want the same thing at the same time share one call. It is aborted
 * when the last of them has given up.
 */
export class SharedCalls<T> {
  private readonly calls = new Map<string, Call<T>>()

  /**
   * @param key - calls of the same key are shared
   * @throws {AbortError} the signal was aborted
   */
  async run (key: string, start: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const call = this.calls.get(key) ?? this.start(key, start)
    call.callers++

    try {
      return await raceSignal(call.promise, signal)
    } finally {
      call.callers--

      if (call.callers === 0) {
        this.forget(key, call)
        call.controller.abort()
      }
    }
  }

  private start (key: string, start: (signal: AbortSignal) => Promise<T>): Call<T> {
    const controller = new AbortController()
    const call = { promise: start(controller.signal), controller, callers: 0 }
    this.calls.set(key, call)
    // all callers may have given up; who comes after the answer asks again
    call.promise.catch(() => {}).finally(() => { this.forget(key, call) })

    return call
  }

  private forget (key: string, call: Call<T>): void {
    if (this.calls.get(key) === call) {
      this.calls.delete(key)
    }
  }
}
