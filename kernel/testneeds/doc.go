// Package testneeds is for tests alone: it leaves out what this machine cannot
// run, counts it, and fails instead where the machine was said to have it.
//
// Two variables steer it. MCE_TEST_REQUIRED names needs, divided by blanks, whose
// lack is a failure; .ci/required has CI's. MCE_TEST_LEFT_OUT is a file to which
// each lack adds a line: need, test, what is left out, divided by tabs.
//
// It must not be imported by anything but tests, and knows no package of ours: each
// package says itself what it needs.
package testneeds
