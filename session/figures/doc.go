// Package figures makes pages that a browser can open of interactive figures: plotly,
// vega, bokeh, maps, any HTML that only a browser can draw.
//
// It knows displays and a directory to write to. It knows no session and no answer,
// and loads nothing: a page loads its libraries when a person opens it.
package figures
