// Browsers start no worker from a file, so the search of a site that is read from a folder would find nothing.
// This one runs the worker's script in a hidden frame and passes the messages on.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.srcdoc = "<script>" +
        "window.postMessage = message => parent.dispatchEvent(new MessageEvent('ssl-bench-worker', {data: message}))\n" +
        "window.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise(done => {" +
        "const script = document.createElement('script'); script.src = url; script.onload = done;" +
        "document.body.appendChild(script)})), Promise.resolve())\n" +
        "<\/script><body><script src='" + new URL(url, document.baseURI) + "'><\/script>"
      this.frame = frame
      window.addEventListener("ssl-bench-worker", event => {
        const answer = new MessageEvent("message", {data: event.data})
        this.dispatchEvent(answer)
        if (this.onmessage) this.onmessage(answer)
      })
      frame.addEventListener("load", () => {
        this.ready = true
        this.waiting.splice(0).forEach(message => this.postMessage(message))
      })
      document.body.appendChild(frame)
    }
    postMessage(message) {
      if (!this.ready) return void this.waiting.push(message)
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", {data: message}))
    }
    terminate() {
      this.frame.remove()
    }
  }
}
