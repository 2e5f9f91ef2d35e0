// Ask the thread that computes.

/** A thread with one network; the last answer asked for is the one that counts. */
class Engine {
  constructor(source, network) {
    this.address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.network = network;
    this.asked = 0;
    this.listeners = new Map();
    this.start();
  }

  start() {
    this.worker = new Worker(this.address);
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => {
      for (const id of this.listeners.keys()) this.hear({ id, failed: event.message, done: true });
    };
    this.load(this.network);
  }

  /** Take another network from now on. */
  load(network) {
    this.network = network;
    this.worker.postMessage({ network });
  }

  hear({ id, ...message }) {
    const listen = this.listeners.get(id);
    if (message.done) this.listeners.delete(id);
    if (listen) listen(message);
  }

  /** Forget what has been asked; a thread that is still busy with it is ended. */
  interrupt() {
    if (this.listeners.size === 0) return;
    this.listeners.clear();
    this.worker.terminate();
    this.start();
  }

  /** Send a question, as worker.js describes it; `listen` gets the messages that come back. */
  ask(question, listen) {
    this.asked += 1;
    this.listeners.set(this.asked, listen);
    this.worker.postMessage({ id: this.asked, ...question });
  }

  /** The whole answer in one object, once it is there. */
  whole(question) {
    return new Promise((resolve) => {
      const answer = {};
      this.ask(question, ({ done, ...message }) => {
        Object.assign(answer, message);
        if (done) resolve(answer);
      });
    });
  }
}
