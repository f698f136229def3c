print('nul \x00 esc \x1b[31mred\x1b[0m bell \a rtl שלום emoji 🎉 low \udc80')
