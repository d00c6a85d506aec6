// plot.js - lines over the last five minutes on a canvas, in the page's own colours.
'use strict';
class Plot {
  constructor(canvas, colours) {
    this.canvas = canvas;
    this.colours = colours;
    this.points = [];
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  fill(points) {
    this.points = points.slice(-300);
    this.draw();
  }

  add(values) {
    this.points.push(values);
    if (this.points.length > 300) this.points.shift();
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (width === 0) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const c = canvas.getContext('2d');
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    c.scale(ratio, ratio);
    let top = Math.max(1, ...this.points.flat());
    const step = 10 ** Math.floor(Math.log10(top));
    top = Math.ceil(top / step) * step;
    c.font = '11px system-ui, sans-serif';
    c.fillStyle = colour('--faint');
    c.strokeStyle = colour('--line');
    for (const part of [0.5, 1]) {
      const y = Math.round(height - 4 - part * (height - 22)) + 0.5;
      c.beginPath();
      c.moveTo(0, y);
      c.lineTo(width, y);
      c.stroke();
      c.fillText(String(+(top * part).toPrecision(3)), 4, y - 3);
    }
    for (const [minutes, align] of [[5, 'left'], [0, 'right']]) {
      c.textAlign = align;
      c.fillText(minutes ? `−${minutes}:00` : '0:00', minutes ? 4 : width - 4, height - 6);
    }
    c.textAlign = 'left';
    c.lineWidth = 1.8;
    this.colours.forEach((name, line) => {
      c.strokeStyle = colour(name);
      c.beginPath();
      this.points.forEach((values, i) => {
        const x = width - ((this.points.length - 1 - i) * width) / 299;
        const y = height - 4 - (values[line] / top) * (height - 22);
        if (i === 0) c.moveTo(x, y);
        else c.lineTo(x, y);
      });
      c.stroke();
    });
  }
}
